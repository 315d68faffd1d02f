// Ateliere Connect's sample, as its page on API authentication prints it, with these repairs:
//
//   1. `crypto` is imported.
//   2. The values come from the environment; `variables` are JSON or absent.
//   3. `https://` is `http://`, for a server on the loopback interface.
//   4. Line breaks stand where the page lost them.
//   5. Behind the signature a byte may be changed (TAMPER), and the answer is printed.
import crypto from 'node:crypto'
import { report, sent, setting } from './harness.cjs'

const url = setting('BASE_URL')
const query = setting('QUERY')
const variables = process.env.VARIABLES ? JSON.parse(process.env.VARIABLES) : undefined
const secretKey = setting('SECRET')
const organizationSlug = setting('ORGANIZATION')
const publicKey = setting('KEY_ID')
const ozClientName = process.env.CLIENT_NAME || 'sample'
const ozClientVersion = process.env.CLIENT_VERSION || '1'

const body = JSON.stringify([{
    query,
    variables,
}]);
const hmac = crypto.createHmac('sha256', secretKey);
const payload = {
    url: url.replace(/^https?:\/\//, ''),
    body: body,
    organization_slug: organizationSlug,
};
hmac.write(JSON.stringify(payload));
hmac.end();
const signature = hmac.read().toString('hex');

const response = await fetch(`http://${sent('url', payload.url)}`, {
    method: 'POST',
    headers: {
        'Content-Type': 'application/json',
        'X-Organization-Slug': sent('organization', organizationSlug),
        'oz-key-id': publicKey,
        'oz-client-name': ozClientName,
        'oz-client-version': ozClientVersion,
        'oz-signature': sent('signature', signature)
    },
    body: sent('body', body),
});

report(response.status, await response.text())
