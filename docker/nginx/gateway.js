/* The gateway's logic: the access token is checked at the edge, so that a flood of bad ones never reaches Python.
 *
 * Only what can be known without the database is checked here: form, signature (ES256, by `kid`), type, issuer, audience,
 * expiry. Whether the session still lives is the application's own question. No token at all is passed on: which calls are
 * public, the application knows.
 */

import fs from 'fs';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {fatal: true});
const MAX_TOKEN = 4096;
const KEYS_AGE = 30000;
const ALGORITHM = {name: 'ECDSA', namedCurve: 'P-256'};

let cache = {readAt: 0, keys: {}};

function pemToDer(pem) {
    return Buffer.from(pem.replace(/-----[^-]+-----/g, '').replace(/\s+/g, ''), 'base64');
}

/* The public keys by kid; read again every half minute, so that a rotation needs no reload. */
async function publicKeys(directory, now) {
    if (cache.directory === directory && now - cache.readAt < KEYS_AGE) {
        return cache.keys;
    }
    const keys = {};
    const names = fs.readdirSync(directory);
    for (let i = 0; i < names.length; i++) {
        const match = /^([A-Za-z0-9_-]{1,64})\.public\.pem$/.exec(names[i]);
        if (match) {
            const der = pemToDer(fs.readFileSync(`${directory}/${names[i]}`, 'utf8'));
            keys[match[1]] = await crypto.subtle.importKey('spki', der, ALGORITHM, false, ['verify']);
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
    const keys = await publicKeys(expected.directory, now);
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

/* auth_request's answer: 204 lets the request through, 401 does not. */
async function checkToken(r) {
    const authorization = r.headersIn.Authorization;
    if (authorization === undefined || authorization === '') {
        r.return(204);
        return;
    }
    const match = /^Bearer +([^ ]+) *$/i.exec(authorization);
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

const PROBLEMS = {
    400: ['invalid', 'The request is not valid'],
    401: ['token_invalid', 'The token is not valid'],
    404: ['not_found', 'There is no such thing'],
    408: ['invalid', 'The request took too long to arrive'],
    413: ['too_large', 'The request is too large'],
    414: ['too_large', 'The address is too long'],
    429: ['throttled', 'Too many requests'],
    431: ['too_large', 'The headers are too large'],
    500: ['internal', 'The server failed'],
    503: ['unavailable', 'Try again later'],
};

/* The body of a problem document (RFC 9457) for an error that the gateway itself answers. */
function problem(status, requestId) {
    const [code, title] = PROBLEMS[status] || PROBLEMS[500];
    const body = {type: `urn:flightbook:problem:${code}`, title, status, detail: `${title}.`, code, requestId};
    if (status === 400 || status === 408) {
        body.errors = [{pointer: '', code: 'malformed', detail: `${title}.`}];
    }
    return JSON.stringify(body);
}

/* Answers an error with its problem document. A replica that is away (502, 504) is a 503 to the client. */
function answerProblem(r) {
    const seen = Number(r.variables.status || 500);
    const status = seen === 502 || seen === 504 ? 503 : (PROBLEMS[seen] ? seen : 500);
    r.headersOut['Content-Type'] = 'application/problem+json';
    r.headersOut['Cache-Control'] = 'no-store';
    if (status === 503 || status === 429) {
        r.headersOut['Retry-After'] = '1';
    }
    if (status === 401) {
        r.headersOut['WWW-Authenticate'] = 'Bearer';
    }
    r.return(status, problem(status, r.variables.edge_request_id));
}

export default {checkToken, answerProblem, verify, problem};
