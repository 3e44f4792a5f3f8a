/// Where an etcd cluster is and how it is spoken to.
public struct EtcdOptions: Sendable {
    /// Files for TLS, in PEM form.
    public struct TLS: Sendable {
        /// Who signs the servers' certificates; nil for the authorities that the system trusts.
        public var authorityFile: String?
        /// This client's certificate chain, where the servers ask for one.
        public var certificateFile: String?
        /// The key of that certificate.
        public var keyFile: String?

        /// Names the files.
        public init(authorityFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil) {
            self.authorityFile = authorityFile
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// Client URLs of the cluster's members: `https://10.0.0.1:2379`. The first that answers is used until it fails.
    public var endpoints: [String]
    /// What stands before all keys, so that a cluster may serve others too: a slash and a name.
    public var namespace = "/roost"
    /// Used with endpoints that begin with `https`.
    public var tls = TLS()
    /// Goes into the header `Authorization` of each request.
    public var token: String?
    /// How long one request to one member may take.
    public var requestTimeout: Duration = .seconds(5)
    /// How long connecting to one member may take.
    public var connectTimeout: Duration = .seconds(2)
    /// A watch that hears nothing for so long is opened anew; etcd sends marks every ten minutes unless it is told
    /// otherwise.
    public var watchSilence: Duration = .seconds(660)
    /// Items that wait for a slow watcher.
    public var watchBuffer = 4096

    /// Names the members.
    public init(endpoints: [String]) { self.endpoints = endpoints }
}
