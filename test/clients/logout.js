// SPDX-License-Identifier: Apache-2.0
// express-session with connect-redis in a bucket of policy delete-wins: somebody logs out
// at one node while a page of theirs is still being answered at another one, and neither
// has heard of the other: node logout.js PORT PORT DIR, with the homes DIR/a and DIR/b.
'use strict';
const assert = require('assert');
const {execSync} = require('child_process');
const {serve, get} = require('./serve');
const {check, until, done} = require('./tap');

const [a, b] = process.argv.slice(2, 4).map(Number);
const dir = process.argv[4];

function node(name, verb) {
    execSync(`REJOIN_HOME=${dir}/${name} rejoin -q ${verb}`, {stdio: 'ignore'});
}

async function main() {
    const [at_a, at_b] = await Promise.all([a, b].map(serve));
    const person = {};

    await check('somebody logs in', async () => {
        assert.strictEqual(await get(at_a, '/login/ann', person), 'ann');
        await until(async () => await get(at_b, '/', person) === 'ann');
    });
    await check('and logs out where the other node is not seen', async () => {
        node('b', 'down');
        await until(async () => await get(at_a, '/logout', {...person}) === 'bye');
        assert.strictEqual(await get(at_a, '/', {...person}), 'nobody');
        node('a', 'down');
    });
    await check('a late page hit finds the session there', async () => {
        node('b', 'up');
        await until(async () => await get(at_b, '/', {...person}) === 'ann');
    });
    await check('it is logged out everywhere when they meet', async () => {
        node('a', 'up');
        for (const server of [at_a, at_b])
            await until(async () => await get(server, '/', {...person}) === 'nobody');
        node('b', 'sync');
        for (const server of [at_a, at_b])
            assert.strictEqual(await get(server, '/', {...person}), 'nobody');
    });
    await check('and can log in again', async () => {
        const again = {};

        assert.strictEqual(await get(at_b, '/login/ann', again), 'ann');
        await until(async () => await get(at_a, '/', again) === 'ann');
    });
    done();
}

main();
