// Clients in JavaScript that sign wrongly, each in a way that the language makes easy.
//
// Prints one line a request: the causes that explain it, the scheme, and the request as it travels, in base64.
import crypto from 'node:crypto'

const { SECRET, ATELIERE, COREZOID, SALESCLOUD, PUBLIC_KEY, ORGANIZATION, SLUG, NOW } = process.env
const HOST = 'api.example.test'

const hmac = (text, { algorithm = 'sha256', key = SECRET, encoding = 'hex' } = {}) =>
    crypto.createHmac(algorithm, key).update(text).digest(encoding)
const hash = (text, algorithm = 'sha256', encoding = 'hex') =>
    crypto.createHash(algorithm).update(text).digest(encoding)

const print = (causes, scheme, target, headers, body, host = HOST) => {
    const lines = [`POST ${target} HTTP/1.1`, `Host: ${host}`]
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
    lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
    const request = Buffer.concat([Buffer.from(lines.join('\r\n') + '\r\n\r\n', 'latin1'), Buffer.from(body)])
    console.log(JSON.stringify({ causes, scheme, request: request.toString('base64') }))
}

// Ateliere: what the sample does, with one thing otherwise.
const query = [{ query: '{ titles(name: "Крепость") { id } }' }]
const ateliere = (causes, { target = '/acme/graphql?v=2', host = HOST, payload, sign = hmac, sent } = {}) => {
    const body = sent ?? JSON.stringify(query)
    const documented = { url: host + target, body, organization_slug: SLUG }
    const text = payload ? payload(documented) : documented
    const signature = sign(typeof text === 'string' ? text : JSON.stringify(text))
    const headers = { 'oz-key-id': ATELIERE, 'oz-signature': signature, 'X-Organization-Slug': SLUG }
    print(causes, 'ateliere', target, headers, body, host)
}
const changed = change => ({ payload: documented => ({ ...documented, ...change(documented) }) })
ateliere('url_scheme_kept', changed(({ url }) => ({ url: `https://${url}` })))
ateliere('url_slash_added', { target: '/graphql', ...changed(({ url }) => ({ url: url + '/' })) })
ateliere('url_slash_dropped', { target: '/graphql/', ...changed(({ url }) => ({ url: url.replace(/\/$/, '') })) })
ateliere('url_query_dropped', changed(({ url }) => ({ url: url.split('?')[0] })))
ateliere('url_host_dropped', { payload: d => ({ ...d, url: '/acme/graphql?v=2' }) })
ateliere('url_port_dropped', { host: `${HOST}:8443`, ...changed(({ url }) => ({ url: url.replace(':8443', '') })) })
ateliere('url_port_added', changed(({ url }) => ({ url: url.replace(HOST, `${HOST}:8080`) })))
ateliere('url_decoded', { target: '/graphql?q=a%20b%2Fc', ...changed(({ url }) => ({ url: decodeURIComponent(url) })) })
ateliere('proxy_prefix_stripped', { target: '/graphql', ...changed(({ url }) => ({ url: url.replace('/graphql', '/v1/graphql') })) })
ateliere('body_as_object', changed(({ body }) => ({ body: JSON.parse(body) })))
ateliere('body_unwrapped', changed(() => ({ body: JSON.stringify(query[0]) })))
ateliere('body_twice_serialised', changed(({ body }) => ({ body: JSON.stringify(body) })))
ateliere('body_object_object', changed(() => ({ body: `${{}}` })))
ateliere('body_pretty_2', changed(() => ({ body: JSON.stringify(query, null, 2) })))
ateliere('body_member', changed(() => ({ body: query[0].query })))
ateliere('key_order', { payload: ({ url, body, organization_slug }) => ({ body, url, organization_slug }) })
ateliere('member_name', { payload: ({ organization_slug, ...rest }) => ({ ...rest, organizationSlug: organization_slug }) })
ateliere('member_missing', { payload: ({ organization_slug, ...rest }) => rest })
ateliere('organization_unset', changed(() => ({ organization_slug: '' })))
ateliere('only_body', { payload: ({ body }) => body })
ateliere('encoding_base64', { sign: text => hmac(text, { encoding: 'base64' }) })
ateliere('encoding_upper_case', { sign: text => hmac(text).toUpperCase() })
ateliere('signature_prefix', { sign: text => `sha256=${hmac(text)}` })
ateliere('algorithm_hmac_sha512', { sign: text => hmac(text, { algorithm: 'sha512' }) })
ateliere('algorithm_hash', { sign: text => hash(text) })
ateliere('algorithm_hash_of_secret_and_text', { sign: text => hash(SECRET + text) })
ateliere('secret_hex_decoded', { sign: text => hmac(text, { key: Buffer.from(SECRET, 'hex') }) })
ateliere('secret_newline', { sign: text => hmac(text, { key: SECRET + '\n' }) })
ateliere('secret_unset', { sign: text => hmac(text, { key: String(process.env.NOT_SET) }) })
ateliere('url_scheme_kept+body_pretty_2', changed(({ url }) => ({ url: `https://${url}`, body: JSON.stringify(query, null, 2) })))
ateliere('url_scheme_kept+encoding_base64', {
    ...changed(({ url }) => ({ url: `http://${url}` })),
    sign: text => hmac(text, { encoding: 'base64' }),
})

// SalesCloud.
const salescloud = (causes, { body = '{"query":"{ é }"}', sent, word = 'App ', text, sign } = {}) => {
    const parts = text ? text(body) : [SALESCLOUD, PUBLIC_KEY, ORGANIZATION, body].join(':')
    const signature = sign ? sign(parts) : hmac(parts, { encoding: 'base64' })
    const headers = {
        'SalesCloud-Application': SALESCLOUD,
        'SalesCloud-Application-Public-Key': PUBLIC_KEY,
        'SalesCloud-Organization': ORGANIZATION,
        Authorization: word + signature,
    }
    print(causes, 'salescloud', '/', headers, sent ?? body)
}
const base64 = { encoding: 'base64' }
salescloud('part_missing', { text: body => [SALESCLOUD, PUBLIC_KEY, body].join(':') })
salescloud('parts_reordered', { text: body => [PUBLIC_KEY, SALESCLOUD, ORGANIZATION, body].join(':') })
salescloud('organization_unset', { text: body => [SALESCLOUD, PUBLIC_KEY, undefined + '', body].join(':') })
salescloud('separator', { text: body => [SALESCLOUD, PUBLIC_KEY, ORGANIZATION, body].join('.') })
salescloud('encoding_hex', { sign: text => hmac(text) })
salescloud('encoding_base64url', { sign: text => hmac(text + '', { encoding: 'base64url' }) })
salescloud('encoding_hex_in_base64', { sign: text => Buffer.from(hmac(text)).toString('base64') })
salescloud('scheme_word', { word: 'Bearer ' })
salescloud('body_latin1', { sign: text => crypto.createHmac('sha256', SECRET).update(text, 'latin1').digest('base64') })
salescloud('algorithm_swapped', { sign: text => crypto.createHmac('sha256', text).update(SECRET).digest('base64') })
salescloud('secret_is_name', { sign: text => hmac(text, { key: PUBLIC_KEY, ...base64 }) })
salescloud('body_compact', { text: body => [SALESCLOUD, PUBLIC_KEY, ORGANIZATION, body].join(':'), sent: '{ "query": "{ é }" }' })

// Corezoid.
const corezoid = (causes, { time = NOW, body = '{"ops":[]}', sign } = {}) => {
    print(causes, 'corezoid', `/api/2/json/${COREZOID}/${time}/${sign(body)}`, {}, body)
}
const sha1 = text => hash(text, 'sha1')
corezoid('time_milliseconds', { sign: body => sha1(`${NOW}417` + SECRET + body + SECRET) })
corezoid('time_differs', { sign: body => sha1(`${Number(NOW) - 1}` + SECRET + body + SECRET) })
corezoid('time_left_out', { sign: body => sha1(SECRET + body + SECRET) })
corezoid('secret_once', { sign: body => sha1(NOW + SECRET + body) })
corezoid('parts_reordered', { sign: body => sha1(SECRET + NOW + body + SECRET) })
corezoid('algorithm_hmac_sha1', { sign: body => hmac(NOW + body, { algorithm: 'sha1' }) })
corezoid('algorithm_sha256', { sign: body => hash(NOW + SECRET + body + SECRET) })
corezoid('body_empty', { sign: () => sha1(NOW + SECRET + SECRET) })
corezoid('separator', { sign: body => sha1([NOW, SECRET, body, SECRET].join('+')) })
