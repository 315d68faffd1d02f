// SalesCloud's first sample, as its page on authentication prints it, with these repairs:
//
//   1. The values come from the environment; the body is the page's own, which is not JSON, unless BODY is set.
//      Without ORGANIZATION the sample signs the word "undefined", and no organization is sent.
//   2. The request is sent: the page stops at the signature and describes the headers in prose.
//   3. Behind the signature a byte may be changed (TAMPER), and the answer is printed.
const { report, sent, setting } = require('./harness.cjs')
const crypto = require('crypto')

const applicationUUID = setting('KEY_ID')
const organizationUUID = process.env.ORGANIZATION

const applicationPublicKey = setting('PUBLIC_KEY')

const applicationSecretKey = setting('SECRET')

// Simple Example Request
const bodyOfRequestAsJsonString = process.env.BODY || '{ "query": { systemTimeInMillis } }'

// The string that must be cryptographically signed
const sign = applicationUUID + ':' + applicationPublicKey + ':' + organizationUUID + ':' + bodyOfRequestAsJsonString

// The computed signature for Authorization header
const computedSignature = crypto.createHmac('sha256', applicationSecretKey).update(sign).digest('base64')

const headers = {
    'SalesCloud-Application': applicationUUID,
    'SalesCloud-Application-Public-Key': applicationPublicKey,
    'Authorization': 'App ' + sent('signature', computedSignature),
}
if (organizationUUID) headers['SalesCloud-Organization'] = sent('organization', organizationUUID)
fetch(sent('url', setting('BASE_URL')), { method: 'POST', headers, body: sent('body', bodyOfRequestAsJsonString) })
    .then(async response => report(response.status, await response.text()))
