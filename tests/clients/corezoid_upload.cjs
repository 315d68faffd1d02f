// A client that uploads a scheme to Corezoid, with Node's own FormData; signs the reduced form of the body as the
// vendor's Go client describes it, in a regular expression.
const { createHash } = require('node:crypto')
const { report, sent, setting } = require('./harness.cjs')

const reduced = body => {
    const chunks = body.replace(/-+[0-9A-Za-z_]+-*\r\n/g, '').replaceAll('\r\n\r\n', '\r\n').trim().split('\r\n')
    return chunks.map(chunk => (chunk.startsWith('Content-') ? chunk + '\r\n' : chunk)).join('')
}

const main = async () => {
    const form = new FormData()
    form.append('scheme', new Blob([setting('BODY')], { type: 'application/json' }), 'scheme.json')
    form.append('type', 'create')
    form.append('folder_id', '289791')
    const whole = new Response(form)
    const type = whole.headers.get('content-type')
    const body = await whole.text()
    const time = String(Math.floor(Date.now() / 1000))
    const secret = setting('SECRET')
    const signature = createHash('sha1').update(time + secret + reduced(body) + secret).digest('hex')
    const url = [setting('BASE_URL'), setting('KEY_ID'), sent('time', time), sent('signature', signature)].join('/')
    const boundary = body.lastIndexOf('\r\n--')
    const tampered = sent('body', body.slice(0, boundary)) + body.slice(boundary)
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body: tampered })
    report(answer.status, await answer.text())
}

main()
