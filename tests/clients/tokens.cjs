// jose: signs CLAIMS with PRIVATE_KEY, or verifies TOKEN with PUBLIC_KEY or JWKS and prints its claims.
const { createLocalJWKSet, importPKCS8, importSPKI, jwtVerify, SignJWT } = require('jose')
const { setting } = require('./harness.cjs')

const algorithm = setting('ALG')

async function verify() {
    const key = process.env.JWKS
        ? createLocalJWKSet(JSON.parse(process.env.JWKS))
        : await importSPKI(setting('PUBLIC_KEY'), algorithm)
    const claims = JSON.parse(Buffer.from(setting('TOKEN').split('.')[1], 'base64url'))
    const currentDate = new Date(claims.iat * 1000)
    const { payload } = await jwtVerify(setting('TOKEN'), key, { algorithms: [algorithm], currentDate })
    console.log(JSON.stringify(payload))
}

async function sign() {
    const key = await importPKCS8(setting('PRIVATE_KEY'), algorithm)
    const header = { alg: algorithm, typ: 'JWT' }
    console.log(await new SignJWT(JSON.parse(setting('CLAIMS'))).setProtectedHeader(header).sign(key))
}

process.env.TOKEN ? verify() : sign()
