import FleetStore
import Glibc
import StoreTestKit

/// One client of the store that is going to die. It alone writes its keys.
struct CrashWriter {
    private let store: any FleetStore
    private let writer: Int
    private var random: SeededGenerator

    init(store: any FleetStore, writer: Int, seed: UInt64) {
        self.store = store
        self.writer = writer
        random = SeededGenerator(seed: seed &* 131 &+ UInt64(writer))
    }

    /// Writes until the process ends.
    func run() async {
        var random = random
        var known: [Int: Revision] = [:]
        var number = 0
        do {
            let key = { (index: Int) in try StoreKey("/crash/w\(writer)/k\(index)") }
            // What an earlier writer of the same file has left.
            for index in 0..<8 { known[index] = try await store.get(key(index))?.revision }
            while true {
                number += 1
                let index = Int(random.next() % 8)
                let name = try key(index)
                let value = CrashCheck.value(number: number, byteCount: Int(random.next() % 2000))
                guard let expected = known[index] else {
                    let revision = try await store.create(name, value)
                    known[index] = revision
                    say("+ \(name) \(number) \(revision)")
                    continue
                }
                if random.next() % 8 == 0 {
                    let revision = try await store.delete(name, expected: expected)
                    known[index] = nil
                    say("- \(name) \(revision)")
                } else {
                    let revision = try await store.replace(name, value, expected: expected)
                    known[index] = revision
                    say("+ \(name) \(number) \(revision)")
                }
            }
        } catch {
            CrashWriter.fail("\(error)")
        }
    }

    /// One system call, so that a line is whole or not there at all.
    private func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }

    /// Says what is wrong and ends the process.
    static func fail(_ reason: String) -> Never {
        let bytes = Array((reason + "\n").utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
        exit(70)
    }
}
