// Hocuspocus with its SQLite extension: node hocuspocus.mjs 3|4 PORT FILE
const [generation, port, file] = process.argv.slice(2)
const { Server } = await import(`hocuspocus-${generation}`)
const { SQLite } = await import(`hocuspocus-${generation}-sqlite`)

const server = new Server({
  port: Number(port),
  address: '127.0.0.1',
  quiet: true,
  stopOnSignals: true,
  extensions: [new SQLite({ database: file })],
  onAuthenticate: async () => ({ user: 'benchmark' }),
})
await server.listen()
console.log('ready')
