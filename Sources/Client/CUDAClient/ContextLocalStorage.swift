internal import CCUDA

/// Values that runtime libraries keep with a context, in the order in which they came.
struct ContextLocalStorage {
    typealias Destructor = @convention(c) (CUcontext?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void

    private struct Entry {
        var key: UnsafeMutableRawPointer?
        var value: UnsafeMutableRawPointer?
        var destructor: Destructor?
    }

    private var entries: [Entry] = []

    /// Sets or replaces a value.
    mutating func put(
        _ key: UnsafeMutableRawPointer?, _ value: UnsafeMutableRawPointer?, _ destructor: Destructor?
    ) {
        let entry = Entry(key: key, value: value, destructor: destructor)
        for index in entries.indices where entries[index].key == key {
            entries[index] = entry
            return
        }
        entries.append(entry)
    }

    /// The value of a key; nil when there is none.
    func value(_ key: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?? {
        for entry in entries where entry.key == key { return .some(entry.value) }
        return nil
    }

    /// Takes a key out without telling its owner.
    mutating func remove(_ key: UnsafeMutableRawPointer?) -> Bool {
        let before = entries.count
        entries.removeAll { $0.key == key }
        return entries.count < before
    }

    /// Takes all out into a storage of its own, whose destructors may then use this one.
    mutating func takeAll() -> ContextLocalStorage {
        let taken = self
        entries = []
        return taken
    }

    /// Calls the destructors, first come first.
    func destroy(context: CUcontext?) {
        for entry in entries { entry.destructor?(context, entry.key, entry.value) }
    }
}
