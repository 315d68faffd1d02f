// A client that gets its token by openid-client, as that library's documents show.
const { report, sent, setting } = require('./harness.cjs')
const { pathToFileURL } = require('node:url')

// Node.js 18 has it under another name only.
globalThis.crypto ??= require('node:crypto').webcrypto

const base = setting('BASE_URL')

async function main() {
    // The library is an ECMAScript module, which NODE_PATH does not find.
    const openid = await import(pathToFileURL(require.resolve('openid-client')))
    const server = { issuer: base, token_endpoint: `${base}/auth/token` }
    const secret = sent('secret', setting('SECRET'))
    const basic = openid.ClientSecretBasic(secret)
    const config = new openid.Configuration(server, setting('KEY_ID'), secret, basic)
    openid.allowInsecureRequests(config) // the server of a test has no TLS
    try {
        const { access_token: token } = await openid.clientCredentialsGrant(config)
        const answer = await openid.fetchProtectedResource(config, token, new URL(`${base}/v2.0/site`), 'GET')
        report(answer.status, await answer.text())
    } catch (error) {
        report(0, `${error.code}: ${error.message}: ${error.cause?.message ?? ''}`)
    }
}

main()
