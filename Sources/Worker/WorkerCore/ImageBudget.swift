import Synchronization

/// Bytes that all lanes of a session may keep for images together.
final class ImageBudget: Sendable {
    private let rest: Atomic<Int>

    init(byteCount: UInt64) {
        rest = Atomic(Int(clamping: byteCount))
    }

    /// Takes bytes; false if there are too few.
    func take(_ byteCount: Int) -> Bool {
        let left = rest.subtract(byteCount, ordering: .relaxed).newValue
        if left < 0 { giveBack(byteCount) }
        return left >= 0
    }

    func giveBack(_ byteCount: Int) { rest.add(byteCount, ordering: .relaxed) }
}

/// An image while it is loaded.
final class ImageBytes {
    let buffer: UnsafeMutableRawBufferPointer
    private let budget: ImageBudget

    /// Nil when the budget is used up.
    init?(byteCount: Int, of budget: ImageBudget) {
        guard budget.take(byteCount) else { return nil }
        self.budget = budget
        buffer = .allocate(byteCount: byteCount, alignment: 16)
    }

    deinit {
        budget.giveBack(buffer.count)
        buffer.deallocate()
    }
}
