import Foundation
import Simulation

// simulate [--seeds N] [--first SEED]: runs so many simulations and says which failed.
var count: UInt64 = 100
var first: UInt64 = 1
var arguments = CommandLine.arguments.dropFirst()
while let flag = arguments.popFirst() {
    guard let value = arguments.popFirst().flatMap({ UInt64($0) }), ["--seeds", "--first"].contains(flag) else {
        FileHandle.standardError.write(Data("usage: simulate [--seeds COUNT] [--first SEED]\n".utf8))
        exit(2)
    }
    if flag == "--seeds" { count = value } else { first = value }
}
var failed: [UInt64] = []
var seconds: Int64 = 0
var commits = 0
let start = ContinuousClock.now
for seed in first..<(first + count) {
    do {
        let outcome = try Simulation(seed: seed).run()
        seconds += outcome.seconds
        commits += outcome.commitCount
    } catch {
        failed.append(seed)
        print("seed \(seed): \(error)")
    }
}
let elapsed = (ContinuousClock.now - start) / .milliseconds(1)
print(
    "simulated \(count) seeds, \(seconds / 3600) hours, \(commits) transactions in \(Int(elapsed / 1000)) s; "
        + "\(failed.count) failed")
exit(failed.isEmpty ? 0 : 1)
