// Chromium without a network of its own, and an account of everything that goes wrong in its pages.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { chromium } from 'playwright-core';

export async function open(executablePath, size = { width: 1280, height: 900 }) {
  const profile = mkdtempSync(path.join(tmpdir(), 'layerscope-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: size,
    args: [
      '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--use-gl=angle', '--use-angle=swiftshader',
      '--enable-unsafe-swiftshader',
    ],
  });
  const problems = [];
  context.on('page', (page) => {
    page.on('pageerror', (error) => problems.push(`error in ${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(`console of ${page.url()}: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) problems.push(`status ${response.status()} of ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText;
      if (reason !== 'net::ERR_ABORTED') problems.push(`${reason} of ${request.url()}`);
    });
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, problems, close };
}

export function require(condition, message) {
  if (!condition) throw new Error(message);
}

/// The frame of the projector within TensorBoard's page.
export async function frameOf(page, part) {
  for (let i = 0; i < 300; ++i) {
    const frame = page.frames().find((each) => each.url().includes(part));
    if (frame) return frame;
    await page.waitForTimeout(100);
  }
  throw new Error(`no frame with ${part} in its address`);
}
