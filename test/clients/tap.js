// SPDX-License-Identifier: Apache-2.0
// TAP lines, and waiting by looking.
'use strict';
const assert = require('assert');
const {execSync} = require('child_process');

let count = 0, failures = 0;

async function check(name, play) {
    try {
        await play();
        console.log(`ok ${++count} - ${name}`);
    } catch (e) {
        failures++;
        console.log(`not ok ${++count} - ${name}`);
        for (const line of String(e.stack).split('\n')) console.log(`# ${line}`);
    }
}

async function until(look) {
    const end = Date.now() + 60000;
    for (;;) {
        try {
            const got = await look();
            if (got) return got;
        } catch (e) {
            if (Date.now() > end) throw e;
        }
        assert(Date.now() < end, `in vain: ${look}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

// Stops the node and starts it again.
function restart() {
    execSync(process.env.RESTART, {stdio: ['ignore', 'ignore', 'inherit']});
}

function done() {
    console.log(`1..${count}`);
    process.exit(failures === 0 ? 0 : 1);
}

module.exports = {check, until, restart, done};
