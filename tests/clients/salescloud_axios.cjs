// SalesCloud's axios sample, as its page on authentication prints it, with these repairs:
//
//   1. The closing braces and parentheses that the page lacks.
//   2. `CreateHeaders` takes six arguments and is called with two; the other four, from the environment, are added.
//   3. `axios.post` gets the URL, and its options the braces, that the page lacks.
//   4. `SendData` is called, and returns what it sent for.
//   5. No proxy is asked for a server on the loopback interface, and the answer stays text.
//   6. Query and variables may come from the environment; behind the signature a byte may be changed (TAMPER); the
//      answer is printed, an error's too.
const { report, sent, setting } = require('./harness.cjs')
const crypto = require('crypto')
const axios = require('axios')

function CreateHeaders(appUUID, organizationUUID, publicKey, privateKey, query, variables) {
    let formattedQuery = ''

    if (variables) {
        formattedQuery = JSON.stringify({ query: query, variables: variables })
    } else {
        formattedQuery = JSON.stringify({ query: query })
    }

    let stringMeantForSigning = appUUID + ':' + publicKey + ':' + organizationUUID + ':' + formattedQuery

    const SIGNED = crypto.createHmac('sha256', privateKey).update(stringMeantForSigning).digest('base64')

    let headers = {
        "SalesCloud-Application": appUUID,
        "SalesCloud-Application-Public-Key": publicKey,
        "Authorization": "App " + sent('signature', SIGNED),
        "SalesCloud-Organization": sent('organization', organizationUUID)
    }
    return headers
}

function SendData() {

    let query = process.env.QUERY || 'mutation createLog($log: NewLog!) {createLog(log: $log)}'
    let variables = process.env.VARIABLES ? JSON.parse(process.env.VARIABLES) : { log: { msg: "hello!" } }
    const headers = CreateHeaders(
        setting('KEY_ID'), setting('ORGANIZATION'), setting('PUBLIC_KEY'), setting('SECRET'), query, variables)

    let response = axios.post(
        sent('url', setting('BASE_URL')),
        { query: sent('body', query), variables: variables },
        {
            timeout: 10000,
            headers: { ...headers, 'content-type': 'application/json' },
            proxy: false,
            transformResponse: text => text,
        }
    ).then((response) => {
        return response
    }).catch((error) => {
        return error
    })
    return response
}

SendData().then(result => {
    const answer = result.response || result
    if (!answer.status) throw result
    report(answer.status, answer.data)
})
