// A client that gets its token by simple-oauth2, as that library's documents show.
const { report, sent, setting } = require('./harness.cjs')
const { ClientCredentials } = require('simple-oauth2')

const base = setting('BASE_URL')

async function main() {
    const client = new ClientCredentials({
        client: { id: setting('KEY_ID'), secret: sent('secret', setting('SECRET')) },
        auth: { tokenHost: base, tokenPath: '/auth/token' },
    })
    try {
        const { token } = await client.getToken({})
        const headers = { Authorization: `Bearer ${token.access_token}` }
        const answer = await fetch(`${base}/v2.0/site`, { headers })
        report(answer.status, await answer.text())
    } catch (error) {
        report(0, `${error.message}: ${JSON.stringify(error.data?.payload)}`)
    }
}

main()
