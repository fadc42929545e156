import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import react from '@vitejs/plugin-react'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Plugin } from 'vite'
import { VitePWA } from 'vite-plugin-pwa'
import { defineConfig } from 'vitest/config'

const STATIC = fileURLToPath(new URL('../server/static', import.meta.url))
const SERVER = process.env.FIELDCHART_URL ?? 'http://127.0.0.1:8420'
const COMPRESSED = /\.(js|css|html|svg|json|webmanifest)$/

/** Compressed beside each file: the server sends what is there and compresses nothing itself. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    enforce: 'post',
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        for (const name of readdirSync(STATIC, { recursive: true, encoding: 'utf8' })) {
          const path = join(STATIC, name)
          if (!COMPRESSED.test(name) || !statSync(path).isFile()) continue
          const bytes = readFileSync(path)
          writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
          writeFileSync(
            `${path}.br`,
            brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }),
          )
        }
      },
    },
  }
}

export default defineConfig({
  plugins: [
    react(),
    VitePWA({
      registerType: 'prompt',
      injectRegister: false,
      manifest: {
        name: 'Fieldchart',
        short_name: 'Fieldchart',
        description: 'Patient records that work without a network',
        start_url: '/',
        display: 'standalone',
        background_color: '#ffffff',
        theme_color: '#0b6e75',
        icons: [
          { src: '/icon.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: '/icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: '/icon-512.png', sizes: '512x512', type: 'image/png' },
          { src: '/icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
      },
      workbox: {
        globPatterns: ['**/*.{js,css,html,svg,png}'],
        navigateFallback: '/index.html',
        navigateFallbackDenylist: [/^\/(api|sync|collab|healthz|readyz|metrics)(\/|$)/],
        cleanupOutdatedCaches: true,
        // The first window is served by the worker as well: its screens open offline, and it hears of
        // a new version. A worker that waits is not hurried by this.
        clientsClaim: true,
        sourcemap: false,
      },
    }),
    compressed(),
  ],
  resolve: {
    alias: { '@fieldchart/client': fileURLToPath(new URL('./src/sync/index.ts', import.meta.url)) },
  },
  build: { outDir: STATIC, emptyOutDir: true, target: 'es2022', manifest: true },
  server: { proxy: { '/api': SERVER, '/sync': { target: SERVER, ws: true } } },
  test: { environment: 'node', include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] },
})
