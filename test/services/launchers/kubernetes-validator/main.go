// Reads manifests as the API server does, every key of every document strictly, and checks what only the cluster would
// notice: that names and labels which refer to one another agree. One fault a line; the number of documents at the end.
//
//	kubernetes-validator FILE…
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// By apiVersion and kind.
var kinds = map[string]func() metav1.Object{
	"v1 ConfigMap":                                    func() metav1.Object { return &corev1.ConfigMap{} },
	"v1 Namespace":                                    func() metav1.Object { return &corev1.Namespace{} },
	"v1 PersistentVolumeClaim":                        func() metav1.Object { return &corev1.PersistentVolumeClaim{} },
	"v1 Pod":                                          func() metav1.Object { return &corev1.Pod{} },
	"v1 Secret":                                       func() metav1.Object { return &corev1.Secret{} },
	"v1 Service":                                      func() metav1.Object { return &corev1.Service{} },
	"v1 ServiceAccount":                               func() metav1.Object { return &corev1.ServiceAccount{} },
	"apps/v1 DaemonSet":                               func() metav1.Object { return &appsv1.DaemonSet{} },
	"apps/v1 Deployment":                              func() metav1.Object { return &appsv1.Deployment{} },
	"apps/v1 StatefulSet":                             func() metav1.Object { return &appsv1.StatefulSet{} },
	"autoscaling/v2 HorizontalPodAutoscaler":          func() metav1.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"batch/v1 CronJob":                                func() metav1.Object { return &batchv1.CronJob{} },
	"batch/v1 Job":                                    func() metav1.Object { return &batchv1.Job{} },
	"networking.k8s.io/v1 NetworkPolicy":              func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":                   func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"rbac.authorization.k8s.io/v1 ClusterRole":        func() metav1.Object { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1 Role":               func() metav1.Object { return &rbacv1.Role{} },
	"rbac.authorization.k8s.io/v1 RoleBinding":        func() metav1.Object { return &rbacv1.RoleBinding{} },
	"rbac.authorization.k8s.io/v1 ClusterRoleBinding": func() metav1.Object { return &rbacv1.ClusterRoleBinding{} },
}

func decode(document []byte) (metav1.Object, error) {
	var what metav1.TypeMeta
	if err := yaml.Unmarshal(document, &what); err != nil {
		return nil, err
	}
	create, isKnown := kinds[what.APIVersion+" "+what.Kind]
	if !isKnown {
		return nil, fmt.Errorf("%s %s is none of the known kinds", what.APIVersion, what.Kind)
	}
	object := create()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return nil, fmt.Errorf("%s: %w", what.Kind, err)
	}
	if object.GetName() == "" {
		return nil, fmt.Errorf("%s has no metadata.name", what.Kind)
	}
	return object, nil
}

func documentsOf(file string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufioReader(text))
	var documents [][]byte
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		var content any
		if err := yaml.Unmarshal(document, &content); err != nil {
			return nil, err
		}
		if content != nil {
			documents = append(documents, bytes.Clone(document))
		}
	}
}

func main() {
	var objects []metav1.Object
	var faults []string
	for _, file := range os.Args[1:] {
		documents, err := documentsOf(file)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", file, err))
		}
		for index, document := range documents {
			object, err := decode(document)
			if err != nil {
				faults = append(faults, fmt.Sprintf("%s, document %d: %v", file, index+1, err))
				continue
			}
			objects = append(objects, object)
		}
	}
	faults = append(faults, checkReferences(objects)...)
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	fmt.Println(len(objects))
	if len(faults) > 0 {
		os.Exit(1)
	}
}
