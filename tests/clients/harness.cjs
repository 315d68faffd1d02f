// What the JavaScript clients have in common: settings from the environment, tampering, and the one line they print.
'use strict'

const flip = text => {
    const changed = text.replace(/[A-Za-z0-9](?=[^A-Za-z0-9]*$)/, last => (last === '0' ? '4' : '0'))
    if (changed === text) throw new Error(`nothing to change in ${JSON.stringify(text)}`)
    return changed
}

let tamper = process.env.TAMPER || ''

// The part of a signed request as it will be sent: with one byte changed if TAMPER names it.
exports.sent = (part, text) => {
    if (tamper !== part) return text
    tamper = ''
    return flip(text)
}

// A setting that must be there.
exports.setting = name => {
    if (!process.env[name]) throw new Error(`${name} is not set`)
    return process.env[name]
}

// Ends the program: the answer as one line of JSON.
exports.report = (status, body) => {
    if (tamper) throw new Error(`this client has no ${tamper} to tamper with`)
    console.log(JSON.stringify({ status, body }))
}
