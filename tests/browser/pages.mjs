// Opens the Embedding Projector in TensorBoard and alone, chooses every tensor and every bookmark, and compares what the
// page holds with what was written; then the tabs of images and histograms.
//
// Usage: pages.mjs <plan.json>; see Page in tests/tensorboard/check.py.
import { readFileSync } from 'node:fs';

import { frameOf, open, require } from './chromium.mjs';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));

/// Runs in the page: chooses a tensor and says what the page makes of it.
async function choose({ run, name, expected }) {
  const until = async (condition, what) => {
    for (let i = 0; i < 600; ++i) {
      if (condition()) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`${name}: nothing came of ${what}`);
  };
  await until(() => layerscopeFind(document, 'vz-projector-data-panel')?.tensorNames?.length, 'the list of tensors');
  const projector = layerscopeFind(document, 'vz-projector');
  const panel = layerscopeFind(document, 'vz-projector-data-panel');
  const bookmarks = layerscopeFind(document, 'vz-projector-bookmark-panel');
  if (panel.selectedTensor !== name) projector.dataSet = null;
  if (run) {
    panel.selectedRun = run;
    await until(() => panel.tensorNames?.some((each) => each.name === name), `the run ${run}`);
  }
  panel.selectedTensor = name;
  const columns = expected.metadata ? Object.keys(expected.metadata) : [];
  await until(() => projector.dataSet?.points.length === expected.rows, 'its tensor');
  await until(() => {
    const stats = projector.dataSet.spriteAndMetadataInfo?.stats?.map((each) => each.name) ?? [];
    return columns.every((column) => stats.includes(column)) || stats.join() === '__index__' && !columns.length;
  }, 'its metadata');
  await until(() => bookmarks.savedStates.length === expected.bookmarks.length, 'its bookmarks');
  await until(() => projector.projection, 'its projection');
  const points = projector.dataSet.points;
  const rows = [0, Math.floor(points.length / 2), points.length - 1];
  const info = projector.dataSet.spriteAndMetadataInfo;
  const result = {
    first: Array.from(points[0].vector),
    last: Array.from(points[points.length - 1].vector),
    metadata: columns.map((column) => [column, rows.map((row) => String(points[row].metadata[column]))]),
    sprite: info?.spriteImage && [info.spriteImage.width, ...info.spriteMetadata.singleImageDim],
    sequences: projector.dataSet.sequences.map((sequence) => Array.from(sequence.pointIndices)),
    labels: bookmarks.savedStates.map((state) => state.label),
    names: panel.tensorNames.map((each) => each.name),
    text: layerscopeFind(document, 'vz-projector').shadowRoot.textContent.match(/Points:\s*\d+/)?.[0],
  };
  return result;
}

/// Runs in the page: whether it has loaded the tensor that it shows first.
function ready() {
  return layerscopeFind(document, 'vz-projector')?.projection != null;
}

/// Runs in the page: what the chosen bookmark shows.
function shown() {
  const projector = layerscopeFind(document, 'vz-projector');
  const axes = projector.projection?.projectionComponents.filter((axis) => axis !== null) ?? [];
  const points = projector.projection?.dataSet.points ?? [];
  return {
    type: projector.projection?.projectionType,
    axes: axes.length,
    count: points.length,
    coordinates: points.length < 3000 ? points.map((point) => axes.map((axis) => point.projections[axis])).filter((each) => each[0] !== undefined) : null,
    color: projector.dataPanel.selectedColorOptionName,
    label: projector.selectedLabelOption,
  };
}

const close = (a, b) => Math.abs(a - b) <= 1e-5 * Math.max(1, Math.abs(b));
const same = (a, b) => a.length === b.length && a.every((value, i) => close(value, b[i]));

async function check(page, frame, cases, title) {
  // The page chooses a tensor by itself; what it still loads of that would mix with the next.
  await frame.waitForFunction(ready, null, { timeout: 60000 });
  await page.waitForLoadState('networkidle');
  for (const [name, expected] of Object.entries(cases)) {
    const found = await frame.evaluate(choose, { run: expected.run, name, expected });
    const say = (what) => `${title}: ${name}: ${what}: ${JSON.stringify(found)}`;
    require(same(found.first, expected.first) && same(found.last, expected.last), say('numbers'));
    for (const [column, cells] of found.metadata) {
      require(cells.join('\n') === expected.metadata[column].join('\n'), say(`column ${column}`));
    }
    if (expected.sprites) {
      const [count, side] = expected.sprites;
      const width = Math.ceil(Math.sqrt(count)) * side;
      require(same(found.sprite, [width, side, side]), say('sprites'));
    }
    if (expected.sequences) {
      require(JSON.stringify(found.sequences) === JSON.stringify(expected.sequences), say('trajectories'));
    }
    require(found.labels.join() === expected.bookmarks.map(([label]) => label).join(), say('bookmarks'));
    for (const [i, [label, coordinates]] of expected.bookmarks.entries()) {
      await frame.locator('vz-projector-bookmark-panel .state-row').nth(i).locator('.state-radio paper-icon-button').click();
      let state;
      for (let wait = 0; wait < 100; ++wait) {
        state = await frame.evaluate(shown);
        if (state.type === 'umap' && state.count === expected.rows && (!coordinates || same(state.coordinates.flat(), coordinates.flat()))) break;
        state.late = true;
        await page.waitForTimeout(50);
      }
      require(!state.late, `${title}: ${name}: bookmark ${label} shows ${JSON.stringify(state)}`);
      if (expected.pictured) {
        await page.waitForTimeout(300);
        await frame.locator('vz-projector #scatter').screenshot({ path: `${plan.output}/canvas-${title}-${expected.pictured}-${i}.png` });
        await page.screenshot({ path: `${plan.output}/page-${title}-${expected.pictured}-${i}.png` });
      }
    }
  }
}

/// Opens a tab with the cards of the tags that match, and waits until as many elements as expected show something.
async function tab(page, name, tags, shows, count) {
  await page.goto('about:blank');
  await page.goto(`${plan.board}/#${name}&tagFilter=${tags}`);
  let found = [];
  for (let i = 0; i < 600; ++i) {
    // A tag is shown among those that match and, while it is unfolded, in its own group.
    found = Object.values(Object.fromEntries(await page.evaluate(shows)));
    if (found.length >= count) break;
    await page.waitForTimeout(100);
  }
  await page.screenshot({ path: `${plan.output}/tab-${name}.png`, fullPage: true });
  require(found.length === count, `${name}: ${found.length} cards show something, expected ${count}`);
  return found;
}

/// Run in the page: all elements that match, also those inside of others.
function addHelpers() {
  globalThis.layerscopeFind = (root, tag) => {
    for (const element of root.querySelectorAll('*')) {
      const found = element.localName === tag ? element : element.shadowRoot && layerscopeFind(element.shadowRoot, tag);
      if (found) return found;
    }
    return null;
  };
  globalThis.layerscopeAll = (root, selector) => [
    ...root.querySelectorAll(selector),
    ...[...root.querySelectorAll('*')].flatMap((each) => (each.shadowRoot ? layerscopeAll(each.shadowRoot, selector) : [])),
  ];
}

const started = Date.now();
const done = (what) => console.log(`${what} after ${((Date.now() - started) / 1000).toFixed(1)} s`);

const browser = await open(plan.chromium);
try {
  await browser.context.addInitScript(addHelpers);
  const page = await browser.context.newPage();
  await page.goto(`${plan.board}/#projector`);
  const frame = await frameOf(page, 'projector_binary.html');
  await check(page, frame, plan.cases, 'board');
  done('hostile tensors');
  await check(page, frame, plan.runs, 'runs');
  done('recorded tensors');
  const { many, ...others } = plan.cases;
  const { timeline, zeros } = others;
  for (const [form, address] of Object.entries(plan.alone)) {
    await page.goto(address);
    await check(page, page.mainFrame(), form === 'text' ? others : { timeline, zeros }, form);
  }
  done('the page alone');

  const images = await tab(page, 'images', '^[^o]', () => layerscopeAll(document, 'tf-image-loader')
    .map((card) => [`${card.run}/${card.tag}`, layerscopeAll(card.shadowRoot ?? card, 'img')[0]])
    .filter(([, image]) => image?.complete && image.naturalWidth > 0)
    .map(([tag, image]) => [tag, `${image.naturalWidth}x${image.naturalHeight}`]), plan.images.length);
  require(images.sort().join() === plan.images.sort().join(), `sizes of images: ${images}, expected ${plan.images}`);
  const histograms = await tab(page, 'histograms', '^[^g]', () => layerscopeAll(document, 'tf-histogram-loader')
    .map((card) => [`${card.run}/${card.tag}`, layerscopeAll(card.shadowRoot ?? card, 'path')
      .map((path) => path.getAttribute('d') ?? '').filter((outline) => outline.length > 50)])
    .filter(([, outlines]) => outlines.length > 0)
    .map(([tag, outlines]) => [tag, outlines.every((outline) => !/NaN|Infinity/.test(outline))]), plan.histograms);
  require(histograms.every((finite) => finite), 'a histogram is drawn with NaN or infinity');

  done('tabs');

  require(browser.problems.length === 0, `problems in the page:\n${browser.problems.join('\n')}`);
  // The control: an error in the page, and an answer that is none, are noticed.
  await page.evaluate(() => {
    setTimeout(() => { throw new Error('planted'); });
    return fetch('no-such-path').catch(() => {});
  });
  await page.waitForTimeout(200);
  require(browser.problems.some((problem) => problem.includes('planted')), 'an error in the page was not noticed');
  require(browser.problems.some((problem) => problem.includes('status 404')), 'a missing answer was not noticed');
  console.log(`pages: ${Object.keys(plan.cases).length} hostile tensors, ${Object.keys(plan.runs).length} recorded ones, ` +
    `${images.length} images, ${histograms.length} histograms`);
} catch (error) {
  console.log(browser.problems.join('\n'));
  throw error;
} finally {
  await browser.close();
}
