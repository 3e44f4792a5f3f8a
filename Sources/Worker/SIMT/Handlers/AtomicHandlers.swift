import Synchronization

enum AtomicHandlers {
    static let fence: Handler = { w, i in
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return i.next
    }
}
