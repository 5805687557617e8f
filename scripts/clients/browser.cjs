// A browser against / and /echo: browser.cjs BROWSER http://HOST:PORT. Exit status 1 if anything
// differs. The page is the server's own, so that its origin may connect.
const { chromium } = require('playwright-core');
const session = require('./session.cjs');

async function main(executablePath, url) {
    // A sandbox needs namespaces that root, or a container, may not make. Only our page is opened.
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    try {
        const page = await browser.newPage();
        const response = await page.goto(url);
        if (response.status() !== 200) throw new Error(`GET / is ${response.status()}`);
        const source = session.toString();
        const extensions = await page.evaluate(`(${source})(WebSocket, "ws${url.slice(4)}/echo")`);
        const echo = await page.evaluate(async () => {
            const answer = await fetch('/echo', { method: 'POST', body: 'x'.repeat(100_000) });
            return answer.status === 200 && (await answer.text()) === 'x'.repeat(100_000);
        });
        if (!echo) throw new Error('POST /echo differs');
        // Another origin, and not a listed one.
        await page.goto('about:blank');
        const refused = await page.evaluate(`new Promise((resolve) => {
            const socket = new WebSocket("ws${url.slice(4)}/echo");
            socket.onopen = () => resolve(false);
            socket.onerror = () => resolve(true);
        })`);
        if (!refused) throw new Error('a page from elsewhere was let in');
        const deflate = extensions.includes('permessage-deflate') ? '' : 'not ';
        console.log(`OK  Chromium ${browser.version()}: page, POST, text, binary, 100 KB, pipelined, close`
            + ` code, origin; permessage-deflate ${deflate}agreed`);
    } finally {
        await browser.close();
    }
}

main(process.argv[2], process.argv[3]).catch((error) => {
    console.error(`browser: ${error.stack}`);
    process.exit(1);
});
