// SPDX-License-Identifier: Apache-2.0
// The work of bench/crdt_set.c and bench/crdt_text.c given to another library:
//
//     node --expose-gc peers.mjs LIBRARY set ELEMENTS
//     node --expose-gc peers.mjs LIBRARY text FILE.json...
//
// Prints lines: name, value, unit. CPU time of this process, best of some rounds.
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

const SHARE = 400 // one in so many is removed, and as many added, at each replica
const BATCH = 10000
const [library, what, ...args] = process.argv.slice(2)

// A library: `set` and `text` make documents. Of these: the changes, each a transaction of
// its own that tells an update; state(): all bytes; load(bytes); version(), since(version):
// the difference; join(bytes); size(), show().
const libraries = {
  async yjs() {
    const Y = await import('yjs')
    const make = (bytes) => {
      const doc = new Y.Doc()
      let last
      doc.on('updateV2', (update) => { last = update })
      const map = doc.getMap('m'), text = doc.getText('t')
      if (bytes) Y.applyUpdateV2(doc, bytes)
      return {
        add: (k) => { map.set(k, true) },
        remove: (k) => { map.delete(k) },
        delta: () => last,
        insert: (at, s) => text.insert(at, s),
        erase: (at, n) => text.delete(at, n),
        state: () => Y.encodeStateAsUpdateV2(doc),
        version: () => Y.encodeStateVector(doc),
        since: (version) => Y.encodeStateAsUpdateV2(doc, version),
        join: (update) => Y.applyUpdateV2(doc, update),
        size: () => map.size,
        show: () => text.toString(),
        free: () => doc.destroy()
      }
    }
    return { make }
  },
  async loro() {
    const { LoroDoc, VersionVector } = await import('loro-crdt')
    const make = (bytes) => {
      const doc = new LoroDoc()
      const map = doc.getMap('m'), text = doc.getText('t')
      let before
      if (bytes) doc.import(bytes)
      return {
        add: (k) => { map.set(k, true); doc.commit() },
        remove: (k) => { map.delete(k); doc.commit() },
        mark: () => { before = doc.version() },
        delta: () => doc.export({ mode: 'update', from: before }),
        insert: (at, s) => { text.insert(at, s); doc.commit() },
        erase: (at, n) => { text.delete(at, n); doc.commit() },
        state: () => doc.export({ mode: 'snapshot' }),
        version: () => doc.version().encode(),
        since: (version) => doc.export({ mode: 'update', from: VersionVector.decode(version) }),
        join: (update) => { doc.import(update) },
        size: () => map.size,
        show: () => text.toString(),
        free: () => doc.free()
      }
    }
    return { make }
  },
  async automerge() {
    const A = await import('@automerge/automerge')
    const make = (bytes) => {
      let doc = bytes ? A.load(bytes) : A.from({ m: {}, t: '' })
      const base = A.getHeads(doc) // its sync would find what both have
      return {
        add: (k) => { doc = A.change(doc, (d) => { d.m[k] = true }) },
        addAll: (keys) => { doc = A.change(doc, (d) => { for (const k of keys) d.m[k] = true }) },
        remove: (k) => { doc = A.change(doc, (d) => { delete d.m[k] }) },
        changeAll: (gone, come) => {
          doc = A.change(doc, (d) => {
            for (const k of gone) delete d.m[k]
            for (const k of come) d.m[k] = true
          })
        },
        delta: () => A.getLastLocalChange(doc),
        insert: (at, s) => { doc = A.change(doc, (d) => { A.splice(d, ['t'], at, 0, s) }) },
        erase: (at, n) => { doc = A.change(doc, (d) => { A.splice(d, ['t'], at, n) }) },
        editAll: (patches) => {
          doc = A.change(doc, (d) => {
            for (const [at, n, s] of patches) A.splice(d, ['t'], at, n, s)
          })
        },
        state: () => A.save(doc),
        version: () => base,
        since: (version) => A.saveSince(doc, version),
        join: (update) => { doc = A.loadIncremental(doc, update) },
        size: () => Object.keys(doc.m).length,
        show: () => doc.t.toString(),
        free: () => A.free(doc)
      }
    }
    return { make }
  },
  async 'diamond-types'() {
    const { Doc } = await import('diamond-types-node')
    const make = (bytes) => {
      const doc = bytes ? Doc.fromBytes(bytes, 'b') : new Doc('a')
      return {
        insert: (at, s) => doc.ins(at, s),
        erase: (at, n) => doc.del(at, n),
        state: () => doc.toBytes(),
        version: () => doc.getLocalVersion(),
        since: (version) => doc.getPatchSince(version),
        join: (update) => doc.mergeBytes(update),
        show: () => doc.get(),
        free: () => doc.free()
      }
    }
    return { make, textOnly: true }
  }
}

const say = (name, value, unit) => console.log(`${name} ${value} ${unit}`)
const fixed = (x, digits) => x.toFixed(digits)
const cpu = (work) => {
  const start = process.cpuUsage()
  const result = work()
  const used = process.cpuUsage(start)
  return [(used.user + used.system) / 1e3, result]
}
const best = (rounds, work) => {
  let least = Infinity
  for (let i = 0; i < rounds; i++) {
    const ms = work(i)
    if (ms < least) least = ms
  }
  return least
}
const memory = () => { globalThis.gc?.(); globalThis.gc?.(); return process.memoryUsage().rss }

// Twelve hexadecimal digits, as crdt_set.c makes them.
const key = (i) => {
  let high = Math.imul(i, 0x9e3779b1) >>> 0
  high = Math.imul(high ^ (high >>> 15), 0x85ebca77) >>> 0
  return high.toString(16).padStart(8, '0') + (i & 0xffff).toString(16).padStart(4, '0')
}

function sets({ make }, n) {
  const some = Math.floor(n / SHARE)
  const before = memory()
  const doc = make()
  const last = Math.min(n, doc.addAll ? BATCH / 100 : BATCH)
  const fill = (from, to) => {
    if (doc.addAll) {
      doc.addAll(Array.from({ length: to - from }, (_, i) => key(from + i)))
      return
    }
    for (let i = from; i < to; i++) doc.add(key(i))
  }
  const [filled] = cpu(() => fill(0, n - last))
  const [added] = cpu(() => {
    for (let i = n - last; i < n; i++) {
      doc.mark?.()
      doc.add(key(i))
      doc.delta()
    }
  })
  say('set.fill', fixed(filled, 0), 'ms')
  say('set.add', fixed(last / added / 1e3, 3), 'M/s')
  say('set.delta', doc.delta().length, 'bytes')
  say('set.memory', fixed((memory() - before) / n, 1), 'bytes/element')
  const [written, state] = cpu(() => doc.state())
  say('set.write', fixed(written, 1), 'ms')
  say('set.state', fixed(state.length / n, 2), 'bytes/element')
  doc.free()
  const [read, a] = cpu(() => make(state))
  say('set.read', fixed(read, 1), 'ms')
  const b = make(state)
  // a transaction for each change takes some libraries minutes: then all in one
  const change = (replica, which) => {
    const each = [...Array(some).keys()]
    const gone = each.map((i) => key((2 * i + which) * (SHARE / 2 - 1)))
    const come = each.map((i) => key(n + which * some + i))
    if (replica.changeAll) replica.changeAll(gone, come)
    else gone.forEach((k, i) => { replica.remove(k); replica.add(come[i]) })
  }
  change(a, 0)
  change(b, 1)
  const version = a.version()
  let delta
  say('set.diff', fixed(best(3, () => { const [ms, d] = cpu(() => b.since(version)); delta = d; return ms }), 2), 'ms')
  say('set.diff.size', delta.length, 'bytes')
  const whole = b.state()
  const copies = a.state()
  say('set.join.state', fixed(best(3, () => { const c = make(copies); const [ms] = cpu(() => c.join(whole)); c.free(); return ms }), 2), 'ms')
  const [joined] = cpu(() => a.join(delta))
  say('set.join.diff', fixed(joined, 2), 'ms')
  if (a.size() !== n) say('set.wrong', a.size() - n, 'elements')
}

// Positions of traces are in code points, those of these libraries mostly in UTF-16.
const isPlain = (trace) => !/[\ud800-\udfff]/.test(trace.endContent)

function texts({ make }, files) {
  for (const file of files) {
    const trace = JSON.parse(readFileSync(file))
    const name = 'text.' + basename(file, '.json')
    const patches = trace.txns.flatMap((txn) => txn.patches)
    let doc = make()
    const play = () => {
      for (const [at, n, s] of patches) {
        if (n > 0) doc.erase(at, n)
        if (s.length > 0) doc.insert(at, s)
      }
    }
    // a transaction for each edit takes some libraries minutes: then all in one
    const ms = best(doc.editAll ? 1 : 3, () => {
      doc.free()
      doc = make()
      return cpu(() => (doc.editAll ? doc.editAll(patches) : play()))[0]
    })
    say(`${name}.edit`, fixed(ms * 1e3 / patches.length, 3), 'us')
    if (doc.show() !== trace.endContent) say(`${name}.wrong`, isPlain(trace) ? 1 : 0, 'text')
    const state = doc.state()
    say(`${name}.history`, state.length, 'bytes')
    say(`${name}.read`, fixed(best(3, () => { const [t, d] = cpu(() => make(state)); d.free(); return t }), 2), 'ms')
    doc.free()
  }
}

const chosen = await libraries[library]()
if (what === 'text') texts(chosen, args)
else if (!chosen.textOnly) sets(chosen, Number(args[0]))
