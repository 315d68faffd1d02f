// A small client of Ateliere Connect: signs as its document says, and comes again when it is told to.
import { createHmac } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

export class Catalogue {
    constructor({ endpoint, keyId, secret, organization, attempts = 3 }) {
        Object.assign(this, { endpoint, keyId, secret, organization, attempts })
    }

    async create(name) {
        const query = 'mutation Create($title: NewTitle!) { createTitle(title: $title) { id } }'
        return (await this.ask(query, { title: { name } })).createTitle.id
    }

    async names() {
        return (await this.ask('query Titles { titles { name } }')).titles.map(title => title.name)
    }

    async ask(query, variables) {
        const body = JSON.stringify([{ query, variables }])
        for (let attempt = 0; attempt < this.attempts; attempt++) {
            const response = await fetch(this.endpoint, { method: 'POST', headers: this.headers(body), body })
            if (response.status === 429) {
                await pause(1000 * Number(response.headers.get('retry-after')))
                continue
            }
            if (!response.ok) throw new Error(`refused with ${response.status}`)
            const [{ data, errors }] = await response.json()
            if (errors) throw new Error(errors[0].message)
            return data
        }
        throw new Error('still too many requests')
    }

    headers(body) {
        const url = this.endpoint.replace(/^https?:\/\//, '')
        const payload = JSON.stringify({ url, body, organization_slug: this.organization })
        return {
            'Content-Type': 'application/json',
            'X-Organization-Slug': this.organization,
            'oz-key-id': this.keyId,
            'oz-signature': createHmac('sha256', this.secret).update(payload).digest('hex'),
            'oz-client-name': 'catalogue',
            'oz-client-version': '1.0',
        }
    }
}
