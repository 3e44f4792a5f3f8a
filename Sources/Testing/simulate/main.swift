import Foundation
import Simulation
import Synchronization

// simulate [--seeds COUNT] [--first SEED]: runs so many simulations, on all cores, and says which failed. How far it is
// stands on the standard error. simulate --trace SEED: prints all that one seed's fleet writes.
var count = 100
var first: UInt64 = 1
var arguments = CommandLine.arguments.dropFirst()
while let flag = arguments.popFirst() {
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }) else { usage() }
    switch flag {
    case "--seeds": count = Int(value)
    case "--first": first = value
    case "--trace": trace(value)
    default: usage()
    }
}

func usage() -> Never {
    write("usage: simulate [--seeds COUNT] [--first SEED] | --trace SEED", to: .standardError)
    exit(2)
}

func trace(_ seed: UInt64) -> Never {
    var simulation = Simulation(seed: seed)
    simulation.onWrite = { time, key, value in
        write("\(time) \(key) \(value.map { String(decoding: $0, as: UTF8.self) } ?? "deleted")", to: .standardOutput)
    }
    do {
        _ = try simulation.run()
        exit(0)
    } catch {
        write("seed \(seed): \(error)", to: .standardOutput)
        exit(1)
    }
}

struct Sums {
    var seedCount = 0
    var failureCount = 0
    var seconds: Int64 = 0
    var commitCount = 0

    mutating func add(_ result: Result<Simulation.Outcome, any Error>, _ seed: UInt64) {
        seedCount += 1
        switch result {
        case .success(let outcome):
            seconds += outcome.seconds
            commitCount += outcome.commitCount
        case .failure(let error):
            failureCount += 1
            write("seed \(seed): \(error)", to: .standardOutput)
        }
    }
}

func write(_ line: String, to file: FileHandle) {
    file.write(Data("\(line)\n".utf8))
}

let sums = Mutex(Sums())
let start = ContinuousClock.now
let begin = first
let total = count
let next = Atomic<Int>(0)
let threads = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map { _ in
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < total else { break }
            let seed = begin + UInt64(index)
            let result = Result { try Simulation(seed: seed).run() }
            let count = sums.withLock { sums in
                sums.add(result, seed)
                return sums.seedCount
            }
            guard count % 100 == 0 else { continue }
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            write("\(count) of \(total) seeds, \(seconds) s", to: .standardError)
        }
        isDone.signal()
    }
    return isDone
}
for thread in threads { thread.wait() }
let done = sums.withLock { $0 }
let elapsed = Int((ContinuousClock.now - start) / .seconds(1))
write(
    "simulated \(count) seeds, \(done.seconds / 3600) hours, \(done.commitCount) transactions in \(elapsed) s; "
        + "\(done.failureCount) failed", to: .standardOutput)
exit(done.failureCount == 0 ? 0 : 1)
