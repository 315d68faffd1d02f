// Tests the client in catalogue.mjs against `countersign mock`. COUNTERSIGN names the program if it is not on the path.
//
//     node --test catalogue.test.mjs
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Catalogue } from './catalogue.mjs'

// Starts a mock, and ends it with the test.
async function mock(context, ...faults) {
    const words = ['mock', 'ateliere', '-o', 'json', ...faults.flatMap(fault => ['--fault', fault])]
    const process_ = spawn(process.env.COUNTERSIGN ?? 'countersign', words, { stdio: ['ignore', 'pipe', 'ignore'] })
    context.after(() => process_.kill())
    const [line] = await once(createInterface({ input: process_.stdout }), 'line')
    const { endpoint, key_id: keyId, secret, organization } = JSON.parse(line).items[0]
    return { endpoint, keyId, secret, organization }
}

test('what is created can be listed', async context => {
    const catalogue = new Catalogue(await mock(context))
    await catalogue.create('Solaris')
    assert.deepEqual(await catalogue.names(), ['Solaris'])
})

test('it comes again when it is told to', async context => {
    const catalogue = new Catalogue(await mock(context, '429=0,times=2'))
    assert.deepEqual(await catalogue.names(), [])
})

test('it gives up when the provider is in trouble', async context => {
    const catalogue = new Catalogue(await mock(context, '503'))
    await assert.rejects(catalogue.names(), /refused with 503/)
})

test('it says that its secret is not the one', async context => {
    const settings = await mock(context)
    const catalogue = new Catalogue({ ...settings, secret: 'another' })
    await assert.rejects(catalogue.names(), /refused with 401/)
})
