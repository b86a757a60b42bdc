// Call methods of sdc-clients: one JSON line in, {service, options, method, args}; one JSON line out, {error, result}.
'use strict';
const clients = require('sdc-clients');
const readline = require('readline');

const made = {};

function answer(error, result) {
    const told = error && {code: error.restCode || error.code, status: error.statusCode, message: error.message};
    const isResponse = result && (result.statusCode !== undefined || typeof result.on === 'function');
    const shown = result === undefined || isResponse ? null : result;
    process.stdout.write(JSON.stringify({error: told || null, result: shown}) + '\n');
}

readline.createInterface({input: process.stdin}).on('line', function (line) {
    const call = JSON.parse(line);
    try {
        made[call.service] = made[call.service] || new clients[call.service](call.options);
        const client = made[call.service];
        client[call.method].apply(client, call.args.concat(answer));
    } catch (error) {
        answer(error);
    }
});
