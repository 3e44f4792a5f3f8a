import Testing

@testable import CUDAClient

/// The graph as the client holds it, without a driver.
@Suite(.serialized) struct GraphModelTests {
    private func edge(_ node: GraphNode) -> GraphEdge { GraphEdge(from: node) }

    @Test("every node comes after what it waits for, otherwise in the order of creation")
    func order() throws {
        let graph = Graph()
        let a = graph.add(.empty)
        let b = graph.add(.empty)
        let c = graph.add(.empty, after: [edge(b)])
        #expect(graph.addEdge(edge(c), to: a))
        let order = try #require(graph.ordered())
        #expect(order.map { $0.serial } == [b, c, a].map { $0.serial })
        #expect([b, c, a].map { $0.position } == [0, 1, 2])
        _ = graph.removeAll()
    }

    @Test("a circle has no order, and without one of its edges it has")
    func circle() {
        let graph = Graph()
        let a = graph.add(.empty)
        let b = graph.add(.empty, after: [edge(a)])
        let c = graph.add(.empty, after: [edge(b)])
        #expect(graph.addEdge(edge(c), to: a))
        #expect(graph.ordered() == nil)
        #expect(graph.removeEdge(from: c, to: a))
        #expect(graph.ordered()?.count == 3)
        _ = graph.removeAll()
    }

    @Test("an edge exists once, within one graph, and leads to another node")
    func edges() {
        let graph = Graph()
        let other = Graph()
        let a = graph.add(.empty)
        let b = graph.add(.empty, after: [edge(a)])
        let foreign = other.add(.empty)
        #expect(!graph.addEdge(edge(a), to: b))
        #expect(!graph.addEdge(edge(a), to: a))
        #expect(!graph.addEdge(edge(foreign), to: a))
        #expect(!graph.removeEdge(from: b, to: a))
        for graph in [graph, other] { _ = graph.removeAll() }
    }

    @Test("a removed node takes its edges with it")
    func removal() {
        let graph = Graph()
        let a = graph.add(.empty)
        let b = graph.add(.empty, after: [edge(a)])
        let c = graph.add(.empty, after: [edge(a), edge(b)])
        graph.remove(b)
        #expect(b.graph == nil)
        #expect(a.dependents.count == 1)
        #expect(c.dependencies.count == 1)
        #expect(graph.nodes.count == 2)
        _ = graph.removeAll()
    }

    @Test("a copy has the same shape, and its nodes name their originals")
    func copy() {
        let graph = Graph()
        let a = graph.add(.empty)
        let b = graph.add(.empty, after: [edge(a)])
        _ = graph.add(.empty, after: [edge(a), edge(b)])
        let copy = Graph()
        graph.copy(into: copy) { $0 }
        #expect(copy.nodes.map { $0.origin } == graph.nodes.map { $0.serial })
        #expect(copy.nodes.map { $0.dependencies.count } == [0, 1, 2])
        #expect(copy.nodes[2].dependencies[1].from === copy.nodes[1])
        for graph in [graph, copy] { _ = graph.removeAll() }
    }

    @Test("a fork is joined when its end leads to the capture's end")
    func joins() {
        let graph = Graph()
        let root = graph.add(.empty)
        let left = graph.add(.empty, after: [edge(root)])
        let right = graph.add(.empty, after: [edge(root)])
        let end = graph.add(.empty, after: [edge(left)])
        #expect(graph.allReach([edge(left), edge(root)], [edge(end)]))
        #expect(!graph.allReach([edge(right)], [edge(end)]))
        #expect(graph.allReach([edge(right)], [edge(end), edge(right)]))
        _ = graph.removeAll()
    }

    @Test("a chain of a hundred thousand nodes is ordered and taken apart")
    func longChain() {
        let graph = Graph()
        var last = graph.add(.empty)
        for _ in 1..<100_000 { last = graph.add(.empty, after: [edge(last)]) }
        #expect(graph.ordered()?.last === last)
        #expect(graph.removeAll().count == 100_000)
    }
}
