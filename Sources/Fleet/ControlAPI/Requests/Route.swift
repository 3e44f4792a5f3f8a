import FleetModel
import Foundation
import HTTPTypes

/// What a route reads as its body.
enum RouteBody: Sendable {
    /// A resource of the kind, with its name; the project may be left to the address.
    case manifest(ResourceKind)
    /// A resource of the kind; the names may be left to the address.
    case replacement(ResourceKind)
    /// Its changes, as RFC 7386 has it.
    case mergePatch(ResourceKind)
    /// An object with `status`.
    case status(ResourceKind)
    /// A value of a type of the model, by the name of its schema.
    case object(String)

    var mediaType: String {
        if case .mergePatch = self { "application/merge-patch+json" } else { "application/json" }
    }
}

/// What a route answers when all goes well.
enum RouteAnswer: Sendable {
    case resource(ResourceKind)
    case list(ResourceKind)
    /// A value of a type of the model, by the name of its schema.
    case object(String)
    /// A list of those in `items`.
    case items(String)
    case text(String)
    case nothing
}

/// Who may use a route, before anything is known of what it is about.
enum RouteAccess: Sendable {
    /// Everybody, without a token.
    case open
    /// Everybody with a token.
    case known
    /// Whoever has a role for it; the handler knows where.
    case role(Verb, AccessTarget)
}

/// One operation of the API: what registers it, documents it and says who may use it.
struct Route: Sendable {
    let method: HTTPRequest.Method
    /// The address, with parameters in braces.
    let path: String
    /// The operation's name in the OpenAPI document and the audit log.
    let operation: String
    let summary: String
    let access: RouteAccess
    var parameters: [Parameter] = []
    var body: RouteBody?
    let answer: RouteAnswer
    /// The status of an answer when all goes well, and what else may come of it.
    var status = 200
    var problems: [Problem.Code] = []
    /// Whether each use, done or not, goes to the audit log. Uses that are denied always do.
    var isAudited = false
    /// Whether it stands in the OpenAPI document.
    var isDocumented = true
    let handle: @Sendable (ControlService, APICall) async throws -> APIAnswer
}

/// Finds routes by method and path.
struct RouteMatcher: Sendable {
    private struct Node: Sendable {
        var literals: [Substring: Node] = [:]
        var captured: [Node] = []
        var routes: [HTTPRequest.Method: Route] = [:]
    }

    /// What an address leads to.
    enum Match: Sendable {
        case route(Route, parameters: [String: String])
        case otherMethods([HTTPRequest.Method])
        case nothing
    }

    private var root = Node()

    /// Puts routes in.
    init(_ routes: [Route]) {
        for route in routes {
            RouteMatcher.insert(route, RouteMatcher.segments(route.path)[...], into: &root)
        }
    }

    /// Looks an address's path up.
    func match(_ method: HTTPRequest.Method, path: String) -> Match {
        let segments = RouteMatcher.segments(path)
        guard !segments.contains(""), let node = find(segments[...], in: root), !node.routes.isEmpty else {
            return .nothing
        }
        guard let route = node.routes[method] ?? (method == .head ? node.routes[.get] : nil) else {
            return .otherMethods(node.routes.keys.sorted { $0.rawValue < $1.rawValue })
        }
        var parameters: [String: String] = [:]
        for (part, value) in zip(RouteMatcher.segments(route.path), segments) where part.hasPrefix("{") {
            guard let decoded = String(value).removingPercentEncoding else { return .nothing }
            parameters[String(part.dropFirst().dropLast())] = decoded
        }
        return .route(route, parameters: parameters)
    }

    private func find(_ segments: ArraySlice<Substring>, in node: Node) -> Node? {
        guard let first = segments.first else { return node }
        if let next = node.literals[first] { return find(segments.dropFirst(), in: next) }
        guard let next = node.captured.first else { return nil }
        return find(segments.dropFirst(), in: next)
    }

    private static func insert(_ route: Route, _ segments: ArraySlice<Substring>, into node: inout Node) {
        guard let first = segments.first else {
            node.routes[route.method] = route
            return
        }
        if first.hasPrefix("{") {
            if node.captured.isEmpty { node.captured.append(Node()) }
            insert(route, segments.dropFirst(), into: &node.captured[0])
        } else {
            insert(route, segments.dropFirst(), into: &node.literals[first, default: Node()])
        }
    }

    /// The parts between slashes.
    private static func segments(_ path: String) -> [Substring] {
        path == "/" ? [] : path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }
}
