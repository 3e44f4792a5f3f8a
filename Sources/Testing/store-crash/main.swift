import FleetStore
import Glibc
import SQLiteFleetStore

// Writes to a store as fast as it can, and says on its output what was acknowledged, until it is killed:
//
//     store-crash PATH WRITERS SEED
//
// A line is `+ key number revision` or `- key revision`.

let arguments = CommandLine.arguments
guard arguments.count == 4, let writers = Int(arguments[2]), let seed = UInt64(arguments[3]) else {
    CrashWriter.fail("usage: store-crash PATH WRITERS SEED")
}
do {
    var options = SQLiteFleetStore.Options()
    // Small, so that the history is cut while the process dies.
    options.historyLimit = 3000
    let store = try SQLiteFleetStore(path: arguments[1], options: options)
    await withTaskGroup { group in
        for writer in 0..<writers {
            group.addTask { await CrashWriter(store: store, writer: writer, seed: seed).run() }
        }
    }
} catch {
    CrashWriter.fail("\(error)")
}
