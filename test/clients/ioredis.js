// SPDX-License-Identifier: Apache-2.0
// ioredis as it comes: node ioredis.js PORT BUCKET
'use strict';
const assert = require('assert');
const Redis = require('ioredis');
const {check, until, restart, done} = require('./tap');

const [port, bucket] = process.argv.slice(2);
const url = `redis://127.0.0.1:${port}`;

async function main() {
    const redis = new Redis(url);
    redis.on('error', () => {});

    await check('connects and is ready', () => until(() => redis.status === 'ready'));
    await redis.flushdb();
    await check('strings', async () => {
        assert.strictEqual(await redis.set('k', 'v', 'EX', 100), 'OK');
        assert.strictEqual(await redis.get('k'), 'v');
        assert.strictEqual(await redis.ttl('k'), 100);
        assert.strictEqual(await redis.incrby('n', 5), 5);
        assert.deepStrictEqual(await redis.mget('k', 'n', 'x'), ['v', '5', null]);
        assert.strictEqual(await redis.getdel('k'), 'v');
        assert.deepStrictEqual(await redis.getBuffer('none'), null);
    });
    await check('binary values', async () => {
        const bytes = Buffer.from([0, 255, 13, 10, 0]);
        await redis.set('b', bytes);
        assert(bytes.equals(await redis.getBuffer('b')));
    });
    await check('sets', async () => {
        assert.strictEqual(await redis.sadd('s', 'a', 'b', 'c'), 3);
        assert.deepStrictEqual((await redis.smembers('s')).sort(), ['a', 'b', 'c']);
        assert.strictEqual(await redis.srem('s', 'c'), 1);
        assert.deepStrictEqual(await redis.sinter('s', 's'), ['a', 'b']);
        assert(['a', 'b'].includes(await redis.spop('s')));
    });
    await check('hashes', async () => {
        assert.strictEqual(await redis.hset('h', {f: 1, g: 2}), 2);
        assert.deepStrictEqual(await redis.hgetall('h'), {f: '1', g: '2'});
        assert.strictEqual(await redis.hincrby('h', 'f', 4), 5);
    });
    await check('a pipeline of a thousand', async () => {
        const pipe = redis.pipeline();
        for (let i = 0; i < 1000; i++) pipe.set(`p:${i}`, i).get(`p:${i}`);
        const got = await pipe.exec();
        assert(got.every(([err, v], i) => err === null &&
            v === (i % 2 ? String((i - 1) / 2) : 'OK')));
    });
    await check('a walk over keys', async () => {
        const seen = new Set();
        for await (const keys of redis.scanStream({match: 'p:*', count: 100}))
            for (const key of keys) seen.add(key);
        assert.strictEqual(seen.size, 1000);
    });
    await check('a transaction', async () => {
        const got = await redis.multi().set('t', '1').incr('t').exec();
        assert.deepStrictEqual(got, [[null, 'OK'], [null, 2]]);
    });
    await check('what is refused is an error with a reason', async () => {
        await assert.rejects(redis.lpush('l', 'x'), /refused: a bucket has no lists/);
        await assert.rejects(redis.eval('return 1', 0), /refused/);
    });
    await check('messages', async () => {
        const ear = new Redis(url), heard = [];
        ear.on('message', (channel, text) => heard.push(`${channel}=${text}`));
        ear.on('pmessage', (p, channel, text) => heard.push(`${p}:${channel}=${text}`));
        await ear.subscribe('news');
        await ear.psubscribe('n*');
        assert.strictEqual(await redis.publish('news', 'hi'), 2);
        await until(() => heard.length === 2);
        assert.deepStrictEqual(heard.sort(), ['n*:news=hi', 'news=hi']);
        ear.disconnect();
    });
    await check('keyspace events', async () => {
        const ear = new Redis(url), heard = [];
        await redis.config('SET', 'notify-keyspace-events', 'KEA');
        ear.on('message', (channel, text) => heard.push(text));
        await ear.subscribe('__keyevent@0__:set');
        await redis.set('watched', 'v');
        await until(() => heard.includes('watched'));
        await redis.config('SET', 'notify-keyspace-events', '');
        ear.disconnect();
    });
    await check('a user and a token', async () => {
        const other = new Redis(`redis://${bucket}:${process.env.TOKEN}@127.0.0.1:${port}`);
        await other.set('where', bucket);
        assert.strictEqual(await other.get('where'), bucket);
        assert.strictEqual(await redis.get('where'), null);
        other.disconnect();
        const wrong = new Redis(`redis://${bucket}:wrong@127.0.0.1:${port}`,
            {retryStrategy: null, maxRetriesPerRequest: 0});
        const why = await new Promise((resolve) => wrong.on('error', resolve));
        assert.match(String(why), /WRONGPASS/);
        wrong.disconnect();
    });
    await check('it comes back by itself, and hears again', async () => {
        const ear = new Redis(url), heard = [];
        ear.on('error', () => {});
        ear.on('message', (channel, text) => heard.push(text));
        await ear.subscribe('news');
        await redis.set('kept', 'v');
        restart();
        await until(async () => await redis.get('kept') === 'v');
        await until(async () => await redis.publish('news', 'again') === 1);
        await until(() => heard.includes('again'));
        ear.disconnect();
    });
    redis.disconnect();
    done();
}

main();
