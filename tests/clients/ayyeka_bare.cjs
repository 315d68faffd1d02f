// A client that sends its token without a scheme word, as a public one for Ayyeka does; written anew.
const { report, sent, setting } = require('./harness.cjs')
const axios = require('axios')

const base = setting('BASE_URL')
const http = axios.create({ proxy: false, validateStatus: () => true, responseType: 'text', transformResponse: text => text })

async function main() {
    const auth = { username: setting('KEY_ID'), password: sent('secret', setting('SECRET')) }
    const answer = await http.post(`${base}/auth/token`, 'grant_type=client_credentials', { auth })
    if (answer.status !== 200) return report(answer.status, answer.data)
    const token = sent('token', JSON.parse(answer.data).access_token)
    const site = await http.get(`${base}/v2.0/site`, { headers: { Authorization: token } })
    report(site.status, site.data)
}

main()
