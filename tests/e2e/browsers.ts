/**
 * Shell: real Chromium and Firefox ESR from Debian's packages, driven by puppeteer-core, with fake cameras and microphones.
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import puppeteer, { type Browser, type BrowserContext, type Page } from "puppeteer-core";
import { EvidenceFile } from "./evidence.ts";

export type BrowserName = "chromium" | "firefox";

const EXECUTABLES: Record<BrowserName, readonly string[]> = {
  chromium: ["/usr/bin/chromium", "/usr/bin/chromium-browser"],
  firefox: ["/usr/bin/firefox-esr", "/usr/bin/firefox"],
};

/** Where screenshots go: a build product for people to look at. */
export const screenshots = resolve(import.meta.dir, "../../build/screenshots");

function executable(name: BrowserName): string {
  const found = EXECUTABLES[name].find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(
      `${name} is not installed: install Debian's packages chromium and firefox-esr (./scripts/test does it as root)`,
    );
  return found;
}

export async function launch(name: BrowserName): Promise<Browser> {
  if (name === "firefox")
    return puppeteer.launch({
      browser: "firefox",
      executablePath: executable(name),
      headless: true,
      acceptInsecureCerts: true,
      timeout: 90_000,
      protocolTimeout: 120_000,
      extraPrefsFirefox: {
        "media.navigator.streams.fake": true,
        "media.navigator.permission.disabled": true,
        "media.peerconnection.ice.obfuscate_host_addresses": false,
        "media.autoplay.default": 0,
        "media.autoplay.blocking_policy": 0,
        "media.getdisplaymedia.enabled": true,
        "network.captive-portal-service.enabled": false,
        "network.connectivity-service.enabled": false,
        "datareporting.policy.dataSubmissionEnabled": false,
        "toolkit.telemetry.enabled": false,
        "browser.safebrowsing.downloads.enabled": false,
        "services.settings.server": "data:,#",
      },
    });
  return puppeteer.launch({
    browser: "chrome",
    executablePath: executable(name),
    headless: true,
    acceptInsecureCerts: true,
    timeout: 90_000,
    protocolTimeout: 120_000,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
      "--use-fake-device-for-media-stream=fps=15",
      "--use-fake-ui-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      "--auto-select-desktop-capture-source=Entire screen",
      "--allow-loopback-in-peer-connection",
    ],
  });
}

/** A busy machine takes its time with a browser's first page. */
const NAVIGATION_MS = 120_000;
let opened = 0;

/** A page in a profile of its own (cookies and storage apart), console errors collected. `who` names its file of evidence. */
export async function openPage(
  browser: Browser,
  who = "page",
): Promise<{ page: Page; context: BrowserContext; errors: string[] }> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultNavigationTimeout(NAVIGATION_MS);
  const errors: string[] = [];
  opened++;
  const evidence = new EvidenceFile(`${opened}-${who}.log`);
  page.on("pageerror", (error) => {
    evidence.line(`page error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    errors.push(String(error));
  });
  page.on("console", (message) => {
    evidence.line(`${message.type()}: ${message.text()}`);
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("framenavigated", (frame) => evidence.line(`navigated to ${frame.url()}`));
  // Chromium tells what goes over sockets: the signalling and the bridge channel, word for word.
  if ((await browser.version()).includes("Chrome")) {
    const session = await page.createCDPSession();
    await session.send("Network.enable");
    session.on("Network.webSocketCreated", ({ requestId, url }) => evidence.line(`socket ${requestId} to ${url}`));
    session.on("Network.webSocketClosed", ({ requestId }) => evidence.line(`socket ${requestId} closed`));
    session.on("Network.webSocketFrameError", ({ requestId, errorMessage }) =>
      evidence.line(`socket ${requestId} fault: ${errorMessage}`),
    );
    session.on("Network.webSocketFrameSent", ({ requestId, response }) =>
      evidence.line(`socket ${requestId} > ${response.payloadData}`),
    );
    session.on("Network.webSocketFrameReceived", ({ requestId, response }) =>
      evidence.line(`socket ${requestId} < ${response.payloadData}`),
    );
  }
  return { page, context, errors };
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) as `${string}.png` });
}
