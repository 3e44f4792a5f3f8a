/// One field of many records, next to each other in memory that it owns until `free()`.
///
/// A Swift array in a class costs a check of exclusive access at each use; a decision touches hundreds of elements.
struct Column<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int
    private let filling: Element

    init(filling: Element) {
        self.filling = filling
        capacity = 16
        base = .allocate(capacity: capacity)
        base.initialize(repeating: filling, count: capacity)
    }

    /// Makes room for at least `count` elements; new ones hold the filling.
    mutating func reserve(_ count: Int) {
        guard count > capacity else { return }
        let wider = max(count, capacity * 2)
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: wider)
        moved.moveInitialize(from: base, count: capacity)
        (moved + capacity).initialize(repeating: filling, count: wider - capacity)
        base.deallocate()
        base = moved
        capacity = wider
    }

    func free() { base.deallocate() }

    subscript(index: Int) -> Element {
        get { base[index] }
        nonmutating set { base[index] = newValue }
    }

    subscript(index: Int32) -> Element {
        get { base[Int(index)] }
        nonmutating set { base[Int(index)] = newValue }
    }
}

/// Gives equal keys one small number.
struct Interner<Key: Hashable> {
    private(set) var keys: [Key] = []
    private var numbers: [Key: Int32] = [:]

    var count: Int { keys.count }

    mutating func number(of key: Key) -> Int32 {
        if let known = numbers[key] { return known }
        let number = Int32(keys.count)
        numbers[key] = number
        keys.append(key)
        return number
    }

    func known(_ key: Key) -> Int32? { numbers[key] }
}
