// SPDX-License-Identifier: Apache-2.0
// A web server whose sessions are in a bucket, and how to ask it.
'use strict';
const http = require('http');
const express = require('express');
const session = require('express-session');
const {RedisStore} = require('connect-redis');
const {createClient} = require('redis');

async function serve(port) {
    const client = createClient({url: `redis://127.0.0.1:${port}`,
        disableOfflineQueue: true, socket: {reconnectStrategy: 50}});
    client.on('error', () => {});
    await client.connect();
    const app = express();
    app.use(session({store: new RedisStore({client}), secret: 'of the test',
        resave: false, saveUninitialized: false}));
    app.get('/login/:who', (req, res) => {
        req.session.who = req.params.who;
        req.session.views = 0;
        res.send(req.session.who);
    });
    app.get('/logout', (req, res) => req.session.destroy(() => res.send('bye')));
    app.get('/', (req, res) => {
        if (req.session.who) req.session.views++;
        res.send(req.session.who || 'nobody');
    });
    app.use((err, req, res, next) => res.status(500).send('no store'));
    return new Promise((resolve) => {
        const server = app.listen(0, '127.0.0.1', () => resolve(server.address().port));
    });
}

// One request; rejects unless a server with a store has answered.
function get(port, path, person) {
    return new Promise((resolve, reject) => {
        const headers = person.cookie ? {cookie: person.cookie} : {};
        const req = http.get({host: '127.0.0.1', port, path, headers, timeout: 2000},
            (res) => {
                let text = '';
                res.on('data', (data) => text += data);
                res.on('end', () => {
                    if (res.statusCode !== 200) return reject(new Error(text));
                    const set = res.headers['set-cookie'];
                    if (set) person.cookie = set[0].split(';')[0];
                    resolve(text);
                });
            });
        req.on('timeout', () => req.destroy(new Error('timeout')));
        req.on('error', reject);
    });
}

module.exports = {serve, get};
