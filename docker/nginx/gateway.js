/* The gateway's logic: the access token is checked at the edge, so that a flood of bad ones never reaches Python.
 *
 * Only what can be known without the database is checked here: form, signature (ES256, by `kid`), type, issuer, audience,
 * expiry. Whether the session still lives is the application's own question. Requests
 * without a token of ours do not come here.
 */

import fs from 'fs';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {fatal: true});
const MAX_TOKEN = 2048;
const KEYS_AGE = 30000; // milliseconds; after them a withdrawn key is gone
const KEYS_AGE_FOR_UNKNOWN = 1000; // a key just made is found as soon as this
const ALGORITHM = {name: 'ECDSA', namedCurve: 'P-256'};

let cache = {readAt: 0, keys: {}};

function pemToDer(pem) {
    return Buffer.from(pem.replace(/-----[^-]+-----/g, '').replace(/\s+/g, ''), 'base64');
}

/* The key in a file, or null: one that is just being withdrawn, or spoiled, must not cost the others. */
async function importKey(path) {
    try {
        const der = pemToDer(fs.readFileSync(path, 'utf8'));
        return await crypto.subtle.importKey('spki', der, ALGORITHM, false, ['verify']);
    } catch (e) {
        return null;
    }
}

/* The public keys by kid; read again every half minute, and for a kid not seen yet, so that a rotation needs no reload. */
async function publicKeys(directory, kid, now) {
    const age = now - cache.readAt;
    const known = Object.prototype.hasOwnProperty.call(cache.keys, kid);
    if (cache.directory === directory && age < (known ? KEYS_AGE : KEYS_AGE_FOR_UNKNOWN)) {
        return cache.keys;
    }
    const keys = {};
    const names = fs.readdirSync(directory);
    for (let i = 0; i < names.length; i++) {
        const match = /^([A-Za-z0-9_-]{1,64})\.public\.pem$/.exec(names[i]);
        const key = match && await importKey(`${directory}/${names[i]}`);
        if (key) {
            keys[match[1]] = key;
        }
    }
    cache = {directory, readAt: now, keys};
    return keys;
}

function segment(text) {
    if (!/^[A-Za-z0-9_-]+$/.test(text)) {
        throw new Error('not base64url');
    }
    return Buffer.from(text, 'base64url');
}

function json(text) {
    const value = JSON.parse(decoder.decode(segment(text)));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new Error('not an object');
    }
    return value;
}

/* Whether `token` is one of ours and in force. `expected`: {directory, issuer, audience}; `now` in milliseconds. */
async function verify(token, expected, now) {
    if (token.length > MAX_TOKEN) {
        return false;
    }
    const parts = token.split('.');
    if (parts.length !== 3) {
        return false;
    }
    let header, claims, signature;
    try {
        header = json(parts[0]);
        claims = json(parts[1]);
        signature = segment(parts[2]);
    } catch (e) {
        return false;
    }
    if (header.alg !== 'ES256' || typeof header.kid !== 'string' || signature.length !== 64) {
        return false;
    }
    const keys = await publicKeys(expected.directory, header.kid, now);
    if (!Object.prototype.hasOwnProperty.call(keys, header.kid)) {
        return false;
    }
    const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
    if (claims.token_type !== 'access' || claims.iss !== expected.issuer || audience.indexOf(expected.audience) < 0
        || typeof claims.exp !== 'number' || claims.exp * 1000 <= now || typeof claims.sid !== 'string') {
        return false;
    }
    return crypto.subtle.verify({name: 'ECDSA', hash: 'SHA-256'}, keys[header.kid], signature,
                                encoder.encode(`${parts[0]}.${parts[1]}`));
}

/* The answer to auth_request: 204 lets the request through, 401 does not. */
async function checkToken(r) {
    const match = /^Bearer +([^ ]+) *$/i.exec(r.headersIn.Authorization || '');
    const expected = {
        directory: r.variables.token_keys_dir,
        issuer: r.variables.token_issuer,
        audience: r.variables.token_audience,
    };
    let good = false;
    try {
        good = match !== null && await verify(match[1], expected, Date.now());
    } catch (e) {
        r.error(`token check: ${e.message}`);
    }
    r.return(good ? 204 : 401);
}

export default {checkToken, verify};
