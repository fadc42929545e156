// y-websocket's own server, with its LevelDB store: node y_websocket.mjs PORT FOLDER
const [port, folder] = process.argv.slice(2)
process.env.HOST = '127.0.0.1'
process.env.PORT = port
if (folder) process.env.YPERSISTENCE = folder
await import('./node_modules/@y/websocket-server/src/server.js')
