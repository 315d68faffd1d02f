// Corezoid's pre-request script for Postman, as its page on the API prints it, with these repairs:
//
//   1. What Postman provides is here: CryptoJS, `pm.environment`, and `request.data`.
//   2. The request is sent, to the URL that the page says.
//   3. Behind the signature a byte may be changed (TAMPER), and the answer is printed.
const { report, sent, setting } = require('./harness.cjs')
const CryptoJS = require('crypto-js')

const environment = new Map([['SECRET', setting('SECRET')]])
const pm = { environment: { get: name => environment.get(name), set: (name, value) => environment.set(name, value) } }
const request = { data: setting('BODY') }

var time = Math.floor(Date.now() / 1000);
var secret = pm.environment.get("SECRET");
var content = request.data;
var signature = CryptoJS.enc.Hex.stringify(CryptoJS.SHA1(time + secret + content + secret));
pm.environment.set("TIMESTAMP", time);
pm.environment.set("SIGNATURE", signature);

const base = sent('url', setting('BASE_URL'))
const timestamp = sent('time', String(environment.get('TIMESTAMP')))
fetch(`${base}/${setting('KEY_ID')}/${timestamp}/${sent('signature', environment.get('SIGNATURE'))}`, {
    method: 'POST',
    headers: { 'Content-type': 'application/json; charset=utf8' },
    body: sent('body', request.data),
}).then(async response => report(response.status, await response.text()))
