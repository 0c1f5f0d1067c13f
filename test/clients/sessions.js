// SPDX-License-Identifier: Apache-2.0
// express-session with connect-redis, one server at each of three nodes, and people who
// are sent to whichever server answers: node sessions.js PORT PORT PORT [PID]. With PID,
// the daemon of the second node, that is killed while sessions are used.
'use strict';
const assert = require('assert');
const {serve, get} = require('./serve');
const {check, until, done} = require('./tap');

const [a, b, c, pid] = process.argv.slice(2).map(Number);
const PEOPLE = 12, ROUNDS = 40;

// What a balancer does: the next server when one does not answer.
async function anywhere(servers, first, path, person) {
    let why;
    for (let i = 0; i < servers.length; i++) {
        try {
            return await get(servers[(first + i) % servers.length], path, person);
        } catch (e) {
            why = e;
        }
    }
    throw why;
}

async function main() {
    const servers = await Promise.all([a, b, c].map(serve));
    const people = Array.from({length: PEOPLE}, (_, i) => ({name: `p${i}`}));

    await check('people log in', async () => {
        for (const [i, p] of people.entries())
            assert.strictEqual(await get(servers[i % 3], `/login/${p.name}`, p), p.name);
    });
    await check('every server knows them', async () => {
        for (const p of people)
            for (const server of servers)
                await until(async () => await get(server, '/', p) === p.name);
    });
    await check(pid ? 'nobody is logged out when a node is killed' :
        'nobody is logged out', async () => {
        for (let round = 0; round < ROUNDS; round++) {
            if (pid && round === ROUNDS / 4) process.kill(pid, 'SIGKILL');
            const got = await Promise.all(people.map((p, i) =>
                anywhere(servers, i + round, '/', p)));
            assert.deepStrictEqual(got, people.map((p) => p.name));
        }
    });
    await check('who logs out is logged out everywhere', async () => {
        const [p] = people;
        await anywhere(servers, 0, '/logout', p);
        for (const server of pid ? [servers[0], servers[2]] : servers)
            await until(async () => await get(server, '/', {...p}) === 'nobody');
    });
    await check('the others are still there', async () => {
        for (const [i, p] of people.entries())
            if (i > 0) assert.strictEqual(await anywhere(servers, i, '/', p), p.name);
    });
    done();
}

main();
