import FleetModel
import Foundation
import SwiftASN1
import X509

/// How certificates say whose they are.
public enum SubjectNames {
    /// The DNS name that every certificate of a server's has and no node's: whoever trusts the cluster's authority
    /// looks for it, so that no node can pass for the control plane, whatever address it is certified for.
    public static let controlPlane = "control-plane.roost.internal"

    private static let nodePrefix = "urn:roost:node:"

    /// The name by which a node asks for a certificate.
    static func requested(node: String) -> GeneralName { .uniformResourceIdentifier(nodePrefix + node) }

    /// The name in a node's certificate: the node, and which of its joins.
    static func certified(node: String, generation: String) -> GeneralName {
        .uniformResourceIdentifier("\(nodePrefix)\(node):\(generation)")
    }

    /// Reads node and generation; the generation is nil in a request.
    static func node(in names: SubjectAlternativeNames) -> (node: String, generation: String?)? {
        let texts = names.compactMap { name -> Substring? in
            guard case .uniformResourceIdentifier(let text) = name, text.hasPrefix(nodePrefix) else { return nil }
            return text.dropFirst(nodePrefix.count)
        }
        guard texts.count == 1, let parts = texts.first?.split(separator: ":", omittingEmptySubsequences: false),
            parts.count <= 2, Names.objection(String(parts[0])) == nil
        else { return nil }
        return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }

    /// What is wrong with a host name or address that a certificate is to name; nil where nothing is.
    public static func objection(toAddress text: String) -> String? {
        guard addressBytes(text) == nil else { return nil }
        let labels = text.lowercased().split(separator: ".", omittingEmptySubsequences: false)
        let isName =
            text.utf8.count <= 253
            && labels.allSatisfy { label in
                label.wholeMatch(of: /[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?/) != nil
            }
        guard isName else { return "must be an IP address or a host name, not \"\(text.prefix(80))\"" }
        guard labels.suffix(2) != ["roost", "internal"] else { return "names the control plane's own domain" }
        return nil
    }

    /// A host name or an address as certificates name it.
    static func address(_ text: String) -> GeneralName {
        addressBytes(text).map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) } ?? .dnsName(text)
    }

    /// The common name: for people alone, and cut to what X.509 allows.
    static func common(_ text: String) throws -> DistinguishedName {
        try DistinguishedName { CommonName(String(text.prefix(64))) }
    }

    /// The bytes of an IPv4 or IPv6 address; nil for a name.
    private static func addressBytes(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: &four) { Array($0) } }
        var six = in6_addr()
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: &six) { Array($0) } }
        return nil
    }
}
