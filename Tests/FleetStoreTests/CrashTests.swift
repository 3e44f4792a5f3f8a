import FleetStore
import Foundation
import Glibc
import SQLiteFleetStore
import StoreTestKit
import Testing

@Suite("Death of the process that writes", .timeLimit(.minutes(10)))
struct CrashTests {
    /// Built beside the test's own program.
    private static let program: URL = {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return own.deletingLastPathComponent().appendingPathComponent("store-crash")
    }()

    /// Lets the program write until it has acknowledged so many lines, kills it, and gives all lines.
    private func killedWriter(path: String, writers: Int, seed: UInt64, after count: Int) throws -> [String] {
        let process = Process()
        process.executableURL = Self.program
        process.arguments = [path, "\(writers)", "\(seed)"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var bytes: [UInt8] = []
        var lineCount = 0
        while true {
            let part = output.fileHandleForReading.availableData
            guard !part.isEmpty else { break }
            bytes += part
            lineCount += part.count { $0 == UInt8(ascii: "\n") }
            if lineCount >= count { kill(process.processIdentifier, SIGKILL) }
        }
        process.waitUntilExit()
        try #require(process.terminationReason == .uncaughtSignal, "the writer ended by itself")
        // The end of the last line may be lacking.
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast().map(String.init)
    }

    @Test("Nothing acknowledged is lost when the writer is killed, again and again, on one file")
    func kills() async throws {
        let folder = try ScratchFolder()
        let path = folder.file("store.db")
        var random = SeededGenerator(seed: 20)
        var held: [String] = []
        var acknowledged = 0
        // `make crash-store` asks for more.
        let rounds = ProcessInfo.processInfo.environment["ROOST_CRASH_ROUNDS"].flatMap(Int.init) ?? 20
        for round in 0..<rounds {
            let writers = [1, 4, 32][round % 3]
            let lines = try killedWriter(
                path: path, writers: writers, seed: UInt64(round), after: Int(random.next() % 120))
            acknowledged += lines.count
            // Opening checks the whole file.
            let store = try SQLiteFleetStore(path: path)
            let missing = try await CrashCheck(lines: held + lines).missing(in: store)
            #expect(missing == [], "round \(round)")
            held = try await CrashCheck.lines(of: store)
            await store.close()
        }
        #expect(acknowledged > 200)
    }

    @Test("The check finds a write that is not there, is older, or has other bytes")
    func checkFinds() async throws {
        let store = MemoryFleetStore()
        let key = StoreKey.test("/crash/w0/k0")
        let first = try await store.create(key, CrashCheck.value(number: 1, byteCount: 100))
        func missing(_ lines: String...) async throws -> Int {
            try await CrashCheck(lines: lines).missing(in: store).count
        }
        #expect(try await missing("+ \(key) 1 \(first)") == 0)
        #expect(try await missing("+ \(key) 2 \(first)") == 1)
        #expect(try await missing("+ \(key) 1 \(first)", "+ \(key) 2 2") == 2)
        #expect(try await missing("+ /crash/w0/k1 1 1") == 1)
        #expect(try await missing("- \(key) 1") == 1)
        let second = try await store.delete(key, expected: first)
        #expect(try await missing("+ \(key) 1 \(first)") == 0)
        #expect(try await missing("+ \(key) 1 \(first)", "- \(key) \(second)") == 0)
        #expect(try await missing("+ \(key) 3 \(second)") == 1)
    }
}
