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
}

let sums = Mutex(Sums())
let start = ContinuousClock.now
let begin = first
DispatchQueue.concurrentPerform(iterations: count) { index in
    let seed = begin + UInt64(index)
    let result = Result { try Simulation(seed: seed).run() }
    sums.withLock { sums in
        switch result {
        case .success(let outcome):
            sums.seconds += outcome.seconds
            sums.commits += outcome.commitCount
        case .failure(let error): sums.failures[seed] = "\(error)"
        }
    }
}
let total = sums.withLock { $0 }
for (seed, failure) in total.failures.sorted(by: { $0.key < $1.key }) { print("seed \(seed): \(failure)") }
let elapsed = Int((ContinuousClock.now - start) / .seconds(1))
print(
    "simulated \(count) seeds, \(total.seconds / 3600) hours, \(total.commits) transactions in \(elapsed) s; "
        + "\(total.failures.count) failed")
exit(total.failures.isEmpty ? 0 : 1)
