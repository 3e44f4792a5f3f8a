import Foundation
import Simulation
import Synchronization

// simulate [--seeds COUNT] [--first SEED]: runs so many simulations, on all cores, and says which failed.
var count = 100
var first: UInt64 = 1
var arguments = CommandLine.arguments.dropFirst()
while let flag = arguments.popFirst() {
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }), ["--seeds", "--first"].contains(flag) else {
        FileHandle.standardError.write(Data("usage: simulate [--seeds COUNT] [--first SEED]\n".utf8))
        exit(2)
    }
    if flag == "--seeds" { count = Int(value) } else { first = value }
}

struct Sums {
    var failures: [UInt64: String] = [:]
    var seconds: Int64 = 0
    var commits = 0

    mutating func add(_ result: Result<Simulation.Outcome, any Error>, _ seed: UInt64) {
        switch result {
        case .success(let outcome):
            seconds += outcome.seconds
            commits += outcome.commitCount
        case .failure(let error): failures[seed] = "\(error)"
        }
    }
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
            sums.withLock { $0.add(result, seed) }
        }
        isDone.signal()
    }
    return isDone
}
for thread in threads { thread.wait() }
let done = sums.withLock { $0 }
for (seed, failure) in done.failures.sorted(by: { $0.key < $1.key }) { print("seed \(seed): \(failure)") }
let elapsed = Int((ContinuousClock.now - start) / .seconds(1))
print(
    "simulated \(count) seeds, \(done.seconds / 3600) hours, \(done.commits) transactions in \(elapsed) s; "
        + "\(done.failures.count) failed")
exit(done.failures.isEmpty ? 0 : 1)
