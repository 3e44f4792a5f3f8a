import Foundation
import Glibc

/// A queue between threads: any number put in, any number take out and wait.
// SAFETY: `elements` is touched only while `condition` is locked, and nothing else changes.
final class Mailbox<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private var elements: [Element] = []

    func put(_ element: Element) {
        condition.lock()
        elements.append(element)
        condition.signal()
        condition.unlock()
    }

    /// Takes the oldest element out, waiting for one. Nil where the deadline passed first.
    func take(until deadline: ContinuousClock.Instant? = nil) -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while elements.isEmpty {
            guard let deadline else {
                condition.wait()
                continue
            }
            let rest = ContinuousClock.now.duration(to: deadline) / .seconds(1)
            guard rest > 0, condition.wait(until: Date(timeIntervalSinceNow: rest)) || !elements.isEmpty else {
                return nil
            }
        }
        return elements.removeFirst()
    }
}

/// Runs a block on a thread of its own.
func startThread(named name: String, _ block: @escaping @Sendable () -> Void) {
    let thread = Thread(block: block)
    // The kernel keeps 15 bytes.
    thread.name = String(name.prefix(15))
    thread.start()
}
