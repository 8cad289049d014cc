// Run with: node --test docker/nginx/tests/
import assert from 'node:assert/strict';
import {generateKeyPairSync, sign} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, test} from 'node:test';

const {default: gateway} = await import('../gateway.js');

const directory = mkdtempSync(join(tmpdir(), 'gateway-keys-'));
after(() => rmSync(directory, {recursive: true}));
const EXPECTED = {directory, issuer: 'flightbook', audience: 'flightbook'};
const NOW = 1_800_000_000_000;

function makeKey(kid) {
    const pair = generateKeyPairSync('ec', {namedCurve: 'P-256'});
    writeFileSync(join(directory, `${kid}.public.pem`), pair.publicKey.export({type: 'spki', format: 'pem'}));
    return pair.privateKey;
}
const keys = {a: makeKey('a'), b: makeKey('b')};

const encode = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function token({header = {}, claims = {}, key = keys.a} = {}) {
    const head = encode({alg: 'ES256', kid: 'a', typ: 'JWT', ...header});
    const body = encode({token_type: 'access', iss: 'flightbook', aud: 'flightbook', sid: 's', exp: NOW / 1000 + 60, ...claims});
    const signature = sign('sha256', Buffer.from(`${head}.${body}`), {key, dsaEncoding: 'ieee-p1363'});
    return `${head}.${body}.${signature.toString('base64url')}`;
}
const verified = text => gateway.verify(text, EXPECTED, NOW);

test('a good token passes, with either of two keys', async () => {
    assert.equal(await verified(token()), true);
    assert.equal(await verified(token({header: {kid: 'b'}, key: keys.b})), true);
    assert.equal(await verified(token({claims: {aud: ['other', 'flightbook']}})), true);
});

const bad = {
    'signed by another key': () => token({key: keys.b}),
    'an unknown kid': () => token({header: {kid: 'z'}}),
    'a kid out of the prototype': () => token({header: {kid: 'constructor'}}),
    'no kid': () => token({header: {kid: undefined}}),
    'alg none': () => token({header: {alg: 'none'}}),
    'alg HS256': () => token({header: {alg: 'HS256'}}),
    'another issuer': () => token({claims: {iss: 'other'}}),
    'another audience': () => token({claims: {aud: 'other'}}),
    'another type': () => token({claims: {token_type: 'refresh'}}),
    'no session': () => token({claims: {sid: undefined}}),
    'expired': () => token({claims: {exp: NOW / 1000}}),
    'no expiry': () => token({claims: {exp: undefined}}),
    'expiry as text': () => token({claims: {exp: '9999999999'}}),
    'a changed claim': () => { const p = token().split('.'); p[1] = encode({...JSON.parse(Buffer.from(p[1], 'base64url')), sid: 'x'}); return p.join('.'); },
    'a cut signature': () => token().slice(0, -4),
    'two parts': () => 'a.b',
    'nothing': () => '',
    'dots': () => '..',
    'not base64url': () => '*.*.*',
    'not JSON': () => `${encode('x')}.${encode('y')}.${encode('z')}`,
    'JSON null': () => `${encode('null')}.${encode('null')}.${encode('z')}`,
    'not UTF-8': () => `${Buffer.from([0xff, 0xfe]).toString('base64url')}.e30.e30`,
    'too long': () => `${'a'.repeat(5000)}.b.c`,
};
for (const [name, make] of Object.entries(bad)) {
    test(`refused: ${name}`, async () => assert.equal(await verified(make()), false));
}

async function answer(authorization, keysIn = directory) {
    let status;
    await gateway.checkToken({
        headersIn: {Authorization: authorization},
        variables: {token_keys_dir: keysIn, token_issuer: 'flightbook', token_audience: 'flightbook'},
        return: s => { status = s; }, error: () => {},
    });
    return status;
}
const fresh = () => token({claims: {exp: Date.now() / 1000 + 60}});

test('a good token is let through, anything else is not', async () => {
    assert.equal(await answer(`Bearer ${fresh()}`), 204);
    assert.equal(await answer(`bearer  ${fresh()} `), 204);
    const others = [undefined, '', 'Basic dTpw', `x${fresh()}`, fresh(), 'Bearer', 'Bearer ', 'bearer a.b.c', 'Bearer a b',
                    `Bearer ${fresh()}, Bearer ${fresh()}`, `Bearer\t${fresh()}`, `Bearer \u00a0${fresh()}`, '\x0bBearer a.b.c', '\ufffdBearer a.b.c'];
    for (const text of others) {
        assert.equal(await answer(text), 401, text);
    }
});

test('a missing key directory refuses, and does not throw', async () => {
    assert.equal(await answer(`Bearer ${fresh()}`, join(directory, 'absent')), 401);
});

test('a rotation needs no restart, and a spoiled file costs only itself', async () => {
    const at = later => gateway.verify(token({header: {kid: 'new'}, key, claims: {exp: NOW / 1000 + 900}}), EXPECTED, NOW + later);
    await gateway.verify(token(), EXPECTED, NOW - 500);
    const key = makeKey('new');
    writeFileSync(join(directory, 'spoiled.public.pem'), 'no key');
    assert.equal(await at(0), false); // read half a second ago
    assert.equal(await at(1000), true);
    rmSync(join(directory, 'new.public.pem'));
    assert.equal(await at(2000), true);
    assert.equal(await at(31_000), false);
});
