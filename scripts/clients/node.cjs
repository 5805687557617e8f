// node's ws against /echo: node.cjs ws[s]://HOST:PORT/echo. Exit status 1 if anything differs.
const WebSocket = require('ws');
const { version } = require('ws/package.json');
const session = require('./session.cjs');

// The certificate is the server's own.
class Trusting extends WebSocket {
    constructor(url) {
        super(url, { rejectUnauthorized: false });
    }
}

async function main(url) {
    const extensions = await session(Trusting, url);
    // What a page cannot do: fragments, a ping.
    const socket = new Trusting(url);
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    const pong = new Promise((resolve) => socket.on('pong', resolve));
    const message = new Promise((resolve) => socket.on('message', resolve));
    socket.send('in ', { fin: false });
    socket.ping('still there?');
    socket.send('fragments', { fin: true });
    if (String(await pong) !== 'still there?') throw new Error('the pong differs');
    if (String(await message) !== 'in fragments') throw new Error('the fragments differ');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.close();
    await closed;
    const deflate = extensions.includes('permessage-deflate') ? '' : 'not ';
    console.log(`OK  node ws ${version} by ${url.split(':')[0]}: text, binary, 100 KB, fragments, ping, pipelined, close code;`
        + ` permessage-deflate ${deflate}agreed`);
}

main(process.argv[2]).catch((error) => {
    console.error(`node ws: ${error.stack}`);
    process.exit(1);
});
