// OAuth libraries for Node: a token by client credentials, and a call with it.
const { pathToFileURL } = require('node:url')
const { setting } = require('./harness.cjs')

// Node.js 18 has it under another name only.
globalThis.crypto ??= require('node:crypto').webcrypto

const tokenUrl = new URL(setting('TOKEN_URL'))
const [id, secret] = [setting('KEY_ID'), setting('SECRET')]

async function simpleOauth2() {
    const { ClientCredentials } = require('simple-oauth2')
    const auth = { tokenHost: tokenUrl.origin, tokenPath: tokenUrl.pathname }
    const { token } = await new ClientCredentials({ client: { id, secret }, auth }).getToken({})
    return token.access_token
}

async function openidClient() {
    const client = await import(pathToFileURL(require.resolve('openid-client')))
    const server = { issuer: tokenUrl.origin, token_endpoint: tokenUrl.href }
    const config = new client.Configuration(server, id, secret, client.ClientSecretBasic(secret))
    client.allowInsecureRequests(config)
    const { access_token: token } = await client.clientCredentialsGrant(config)
    return token
}

async function main() {
    const libraries = { 'simple-oauth2': simpleOauth2, 'openid-client': openidClient }
    const token = await libraries[setting('LIBRARY')]()
    const answer = await fetch(setting('BASE_URL'), { headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: await answer.text() }
}

main()
    .catch((error) => ({ status: 0, body: `${error.code ?? ''} ${error.message}` }))
    .then((answer) => console.log(JSON.stringify(answer)))
