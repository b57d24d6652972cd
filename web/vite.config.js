// Builds the page into the Python package, with the licences of what it bundles
// and a digest of its sources, by which a test sees that the bundle is theirs.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';

const root = import.meta.dirname;

/** The package that a bundled module belongs to, or null for our own. */
function packageOf(id) {
  const found = id.replace(/\0/g, '').match(/^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//);
  return found && { folder: found[1], name: found[2] };
}

function licenceOf({ folder, name }) {
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : '';
  return `${name} ${about.version} (${about.license})\n\n${text}\n`;
}

/** In the page, zarrita's compiled codecs become calls to the decoder's worker. */
function remoteCodecs() {
  const prefix = '\0remote:';
  return {
    name: 'remote-codecs',
    enforce: 'pre',
    resolveId(id) {
      const found = id.match(/^numcodecs\/(blosc|lz4|zstd)$/);
      return found ? prefix + found[1] : null;
    },
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const name = JSON.stringify(id.slice(prefix.length));
      return `import { remote } from '/src/remote.ts';\nexport default remote(${name});\n`;
    },
  };
}

function licences() {
  return {
    name: 'licences',
    generateBundle(_, bundle) {
      const found = new Map();
      for (const chunk of Object.values(bundle)) {
        for (const id of chunk.type === 'chunk' ? chunk.moduleIds : []) {
          const owner = packageOf(id);
          if (owner && existsSync(join(owner.folder, 'package.json'))) found.set(owner.name, owner);
        }
      }
      // Built apart, for the worker; the C libraries inside it have licences of their own.
      const decoder = { folder: join(root, 'node_modules/numcodecs'), name: 'numcodecs' };
      const packages = [...found.values(), decoder].sort((a, b) => (a.name < b.name ? -1 : 1));
      const compiled = readdirSync(join(root, 'licences')).sort();
      const source = [
        ...packages.map(licenceOf),
        ...compiled.map((file) => {
          const text = readFileSync(join(root, 'licences', file), 'utf8').trim();
          return `${file.replace('.txt', '')}, compiled into numcodecs\n\n${text}\n`;
        }),
      ].join(`\n${'-'.repeat(72)}\n\n`);
      this.emitFile({ type: 'asset', fileName: 'LICENCES.txt', source });
    },
  };
}

function sourceDigest() {
  return {
    name: 'source-digest',
    generateBundle() {
      const files = ['index.html', 'package-lock.json', 'vite.config.js'];
      files.push(...readdirSync(join(root, 'src')).map((name) => `src/${name}`));
      const digest = createHash('sha256');
      for (const file of files.sort()) digest.update(readFileSync(join(root, file)));
      const source = `${digest.digest('hex')}\n`;
      this.emitFile({ type: 'asset', fileName: 'SOURCE.sha256', source });
    },
  };
}

// Plain names: a rebuilt bundle replaces files instead of adding some.
const names = {
  entryFileNames: 'assets/[name].js',
  chunkFileNames: 'assets/[name].js',
  assetFileNames: 'assets/[name][extname]',
};

export default defineConfig({
  base: './',
  plugins: [remoteCodecs(), licences(), sourceDigest()],
  worker: { format: 'es', rolldownOptions: { output: names } },
  build: {
    outDir: '../stable_tiles/view/page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
    rolldownOptions: { output: { ...names, codeSplitting: false } },
  },
});
