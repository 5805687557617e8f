// What every client in JavaScript does on a socket to /echo, in node and in a page alike: so it uses
// only what both have. Gives what was agreed on as an extension; throws if anything differs.
module.exports = async function session(Socket, url) {
    const socket = new Socket(url);
    socket.binaryType = 'arraybuffer';
    const arrived = [];
    let wake = () => {};
    socket.onmessage = (event) => { arrived.push(event.data); wake(); };
    const closed = new Promise((resolve) => {
        socket.onclose = (event) => { resolve(event); wake(); };
    });
    const hear = async () => {
        while (!arrived.length) {
            if (socket.readyState > 1) throw new Error('closed too early');
            await new Promise((resolve) => { wake = resolve; });
        }
        return arrived.shift();
    };
    await new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error('cannot connect'));
    });
    const noise = new Uint8Array(100_000);
    for (let at = 0, n = 1; at < noise.length; at++) {
        n = (Math.imul(n, 1_103_515_245) + 12_345) >>> 0;
        noise[at] = n >>> 16;
    }
    const cases = ['héllo', '', 'long '.repeat(20_000), new Uint8Array([0, 255]), noise];
    const same = (sent, back) => typeof sent === 'string' ? sent === back
        : sent.length === back.byteLength && new Uint8Array(back).every((byte, at) => byte === sent[at]);
    for (const sent of cases) {
        socket.send(sent);
        if (!same(sent, await hear())) throw new Error(`${sent.slice(0, 20)} differs`);
    }
    for (const sent of cases) socket.send(sent);
    for (const sent of cases) {
        if (!same(sent, await hear())) throw new Error(`pipelined ${sent.slice(0, 20)} differs`);
    }
    socket.close(4000, 'bye');
    const { code, wasClean } = await closed;
    if (code !== 4000 || !wasClean) throw new Error(`closed with ${code}, clean: ${wasClean}`);
    return socket.extensions;
};
