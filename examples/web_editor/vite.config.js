// The page and the API have one address, so that the browser sends no cross-origin requests.
const fieldchart = process.env.FIELDCHART_URL ?? 'http://127.0.0.1:8420'
const proxy = { '/api': { target: fieldchart }, '/sync': { target: fieldchart, ws: true } }

export default { server: { proxy }, preview: { proxy, host: '127.0.0.1' } }
