// SPDX-License-Identifier: Apache-2.0
// node-redis as it comes: node node-redis.js PORT BUCKET
'use strict';
const assert = require('assert');
const {createClient} = require('redis');
const {check, until, restart, done} = require('./tap');

const [port, bucket] = process.argv.slice(2);
const url = `redis://127.0.0.1:${port}`;

async function open(options) {
    const client = createClient({url, ...options});
    client.on('error', () => {});
    await client.connect();
    return client;
}

async function play(version) {
    const redis = await open({RESP: version});
    const name = (text) => `version ${version}: ${text}`;

    await redis.flushDb();
    await check(name('strings'), async () => {
        assert.strictEqual(await redis.set('k', 'v', {EX: 100}), 'OK');
        assert.strictEqual(await redis.get('k'), 'v');
        assert.strictEqual(await redis.incrBy('n', 5), 5);
        assert.deepStrictEqual(await redis.mGet(['k', 'n', 'x']), ['v', '5', null]);
        assert.strictEqual(await redis.getDel('k'), 'v');
        assert.strictEqual(await redis.exists('k'), 0);
    });
    await check(name('sets'), async () => {
        assert.strictEqual(await redis.sAdd('s', ['a', 'b', 'c']), 3);
        assert.deepStrictEqual([...await redis.sMembers('s')].sort(), ['a', 'b', 'c']);
        assert.strictEqual(Number(await redis.sIsMember('s', 'a')), 1);
        assert.deepStrictEqual([...await redis.sDiff(['s', 'none'])].length, 3);
    });
    await check(name('hashes'), async () => {
        assert.strictEqual(await redis.hSet('h', {f: 1, g: 2}), 2);
        assert.deepStrictEqual({...await redis.hGetAll('h')}, {f: '1', g: '2'});
        assert.strictEqual(await redis.hIncrBy('h', 'f', 4), 5);
    });
    await check(name('a thousand at once'), async () => {
        const got = await Promise.all(Array.from({length: 1000},
            (_, i) => redis.set(`p:${i}`, String(i))));
        assert(got.every((v) => v === 'OK'));
        assert.strictEqual(await redis.get('p:999'), '999');
    });
    await check(name('a walk over keys'), async () => {
        const seen = new Set();
        for await (const keys of redis.scanIterator({MATCH: 'p:*', COUNT: 100}))
            for (const key of [keys].flat()) seen.add(key);
        assert.strictEqual(seen.size, 1000);
    });
    await check(name('a transaction'), async () => {
        assert.deepStrictEqual(await redis.multi().set('t', '1').incr('t').exec(),
            ['OK', 2]);
    });
    await check(name('messages'), async () => {
        const ear = await open({RESP: version}), heard = [];
        await ear.subscribe('news', (text) => heard.push(text));
        await ear.pSubscribe('n*', (text, channel) => heard.push(`${channel} ${text}`));
        assert.strictEqual(await redis.publish('news', 'hi'), 2);
        await until(() => heard.length === 2);
        assert.deepStrictEqual(heard.sort(), ['hi', 'news hi']);
        await ear.unsubscribe();
        await ear.pUnsubscribe();
        ear.destroy();
    });
    redis.destroy();
}

async function main() {
    await play(2);
    await play(3);
    await check('a user and a token', async () => {
        const other = await open({username: bucket, password: process.env.TOKEN});
        await other.set('where', bucket);
        assert.strictEqual(await other.get('where'), bucket);
        other.destroy();
        const wrong = createClient({url, username: bucket, password: 'wrong',
            socket: {reconnectStrategy: false}});
        wrong.on('error', () => {});
        await assert.rejects(wrong.connect(), /WRONGPASS/);
    });
    await check('it comes back by itself, and hears again', async () => {
        const redis = await open(), ear = await open(), heard = [];
        await ear.subscribe('news', (text) => heard.push(text));
        await redis.set('kept', 'v');
        restart();
        await until(async () => await redis.get('kept') === 'v');
        await until(async () => await redis.publish('news', 'again') === 1);
        await until(() => heard.includes('again'));
        redis.destroy();
        ear.destroy();
    });
    done();
}

main();
